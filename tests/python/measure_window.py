"""How fast the window answers, as whoever sits before it would measure: from a move of the pointer to changed pixels.

    python3 tests/python/measure_window.py target/release/poisdetc

Wants Xvfb and libXtst (Debian: xvfb, libxtst6). Xvfb keeps its screen in a file, which is watched here without asking the server.
Three times are taken: with nothing to do, while the sample is audited on all cores, and the processor time of a
window that is left alone. Drawing is done by the processor (there is no graphics card under Xvfb), beside the audit.
"""

import ctypes
import mmap
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time

WIDTH, HEIGHT = 1280, 900
MOVES = 150
LONGEST = 5.0


def main(program):
    with tempfile.TemporaryDirectory() as work:
        server, display = started_server(work)
        window = None
        try:
            screen = Screen(os.path.join(work, "Xvfb_screen0"))
            pointer = Pointer(display)
            widgets = os.path.join(work, "widgets")
            environment = {k: v for k, v in os.environ.items() if not k.startswith("WAYLAND")}
            for name in ["XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"]:
                environment[name] = work
            environment |= {"DISPLAY": display, "POISDETC_WIDGET_MAP": widgets}
            begun = time.perf_counter()
            window = subprocess.Popen([program], env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            wait_for(widgets, "Try the sample")
            print(f"first picture after {time.perf_counter() - begun:.2f} s")
            time.sleep(2)
            told("nothing to do", latencies(screen, pointer, rectangle(widgets, "Theme")))
            pointer.move(WIDTH // 2, HEIGHT - 5)
            time.sleep(2)
            before = processor_seconds(window.pid)
            time.sleep(20)
            print(f"left alone for 20 s: {processor_seconds(window.pid) - before:.2f} s of processor time")
            pointer.click(rectangle(widgets, "Try the sample"))
            wait_for(widgets, "Stop")
            time.sleep(3)
            busy = processor_seconds(window.pid), time.perf_counter()
            told("while it audits", latencies(screen, pointer, rectangle(widgets, "Theme"), lambda: is_there(widgets, "Stop")))
            share = (processor_seconds(window.pid) - busy[0]) / (time.perf_counter() - busy[1])
            print(f"the audit and the window took {share:.2f} of {os.cpu_count()} cores meanwhile")
        finally:
            if window:
                window.kill()
            server.kill()


def started_server(work):
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-fbdir", work, "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    return server, ":" + os.read(read, 16).decode().strip()


class Screen:
    """Pixels of the server, as they lie in its file (an XWD dump that is written all the time)."""

    def __init__(self, path):
        self.map = mmap.mmap(os.open(path, os.O_RDONLY), 0, prot=mmap.PROT_READ)
        header = struct.unpack(">25I", self.map[:100])
        self.start = header[0] + 12 * header[19]
        self.line = header[12]

    def part(self, left, top, right, bottom):
        rows = range(top, bottom)
        return b"".join(self.map[self.start + y * self.line + 4 * left : self.start + y * self.line + 4 * right] for y in rows)


class Pointer:
    """A pointer that really moves, for the server."""

    def __init__(self, display):
        self.x = ctypes.CDLL("libX11.so.6")
        self.test = ctypes.CDLL("libXtst.so.6")
        self.x.XOpenDisplay.restype = ctypes.c_void_p
        self.display = ctypes.c_void_p(self.x.XOpenDisplay(display.encode()))

    def move(self, x, y):
        self.test.XTestFakeMotionEvent(self.display, -1, int(x), int(y), 0)
        self.x.XFlush(self.display)

    def click(self, rectangle):
        left, top, right, bottom = rectangle
        self.move((left + right) / 2, (top + bottom) / 2)
        time.sleep(0.3)
        for down in [1, 0]:
            self.test.XTestFakeButtonEvent(self.display, 1, down, 0)
            self.x.XFlush(self.display)
            time.sleep(0.1)


def latencies(screen, pointer, rectangle, goes_on=lambda: True):
    """Seconds from a move onto a button, and off it, until its pixels change: those at its other end, since the server draws
    the pointer into the same file. As long as what is measured goes on."""
    left, top, right, bottom = rectangle
    on, off = (left + 5, (top + bottom) / 2), (left - 200, (top + bottom) / 2)
    left = right - 14
    pointer.move(*off)
    time.sleep(1)
    seconds = []
    for i in range(MOVES):
        if not goes_on():
            break
        before = screen.part(left, top, right, bottom)
        begun = time.perf_counter()
        pointer.move(*(off if i % 2 else on))
        while screen.part(left, top, right, bottom) == before:
            if time.perf_counter() - begun > LONGEST:
                break
            time.sleep(0.0005)
        seconds.append(time.perf_counter() - begun)
        # Whatever fades in is over by then; the odd part keeps it from beating with the screen's rate.
        time.sleep(0.25 + 0.0037 * (i % 11))
    return seconds


def told(what, seconds):
    ordered = sorted(1000 * s for s in seconds)
    middle, late, last = statistics.median(ordered), ordered[int(0.95 * len(ordered))], ordered[-1]
    print(f"{what}: pixels changed after {middle:.0f} ms (median of {len(ordered)}), {late:.0f} ms (95 %), {last:.0f} ms at most")


def processor_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rectangle(widgets, name):
    for line in open(widgets):
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[5].strip().startswith(name):
            return [int(float(value)) for value in fields[:4]]
    return None


def is_there(widgets, name):
    """Whether the window shows it; the file may be read while it is written."""
    return any(rectangle(widgets, name) or time.sleep(0.1) for _ in range(3))


def wait_for(widgets, name):
    for _ in range(600):
        if os.path.exists(widgets) and rectangle(widgets, name):
            return
        time.sleep(0.05)
    sys.exit(f'"{name}" did not appear')


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "target/release/poisdetc")
