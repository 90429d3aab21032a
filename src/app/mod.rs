//! The window: screens, widgets, theme. Draws and sends commands, nothing else.
