# The installer for Windows out of the built program, in target\packages.
#
#   cargo build --release --locked
#   dotnet tool install --global wix --version 5.0.2; wix extension add -g WixToolset.UI.wixext/5.0.2
#   packaging\windows\build-msi.ps1
#
# Signed where POISDETC_SIGN_THUMBPRINT names a certificate of the current user's store.
$ErrorActionPreference = 'Stop'
$root = (Resolve-Path "$PSScriptRoot\..\..").Path
$out = Join-Path $root 'target\packages'
New-Item -ItemType Directory -Force -Path $out | Out-Null
$version = (Select-String -Path "$root\Cargo.toml" -Pattern '^version = "(.*)"').Matches[0].Groups[1].Value
$binary = Join-Path $root 'target\release\poisdetc.exe'

# An .ico is a list of PNG files behind a table of sizes.
$sizes = 16, 24, 32, 48, 64, 256
$pngs = $sizes | ForEach-Object { , [IO.File]::ReadAllBytes("$root\assets\icon\icon-$_.png") }
$icon = Join-Path $out 'poisdetc.ico'
$writer = [IO.BinaryWriter]::new([IO.File]::Create($icon))
$writer.Write([uint16]0); $writer.Write([uint16]1); $writer.Write([uint16]$sizes.Count)
$offset = 6 + 16 * $sizes.Count
for ($i = 0; $i -lt $sizes.Count; $i++) {
    $side = [byte]($sizes[$i] % 256)
    $writer.Write($side); $writer.Write($side); $writer.Write([uint16]0)
    $writer.Write([uint16]1); $writer.Write([uint16]32)
    $writer.Write([uint32]$pngs[$i].Length); $writer.Write([uint32]$offset)
    $offset += $pngs[$i].Length
}
foreach ($png in $pngs) { $writer.Write([byte[]]$png) }
$writer.Close()

$licence = Join-Path $out 'licence.rtf'
$text = (Get-Content -Raw "$root\LICENSE-MIT") -replace '([\\{}])', '\$1' -replace "`r?`n", "\par`n"
Set-Content -Path $licence -Value "{\rtf1\ansi\deff0{\fonttbl{\f0 Segoe UI;}}\fs18 $text}"

function Sign($path) {
    if ($env:POISDETC_SIGN_THUMBPRINT) {
        signtool sign /sha1 $env:POISDETC_SIGN_THUMBPRINT /fd sha256 /tr http://timestamp.digicert.com /td sha256 $path
        if ($LASTEXITCODE) { throw "signing $path failed" }
    }
}

Sign $binary
$package = Join-Path $out "poisdetc-$version-windows-x86_64.msi"
wix build "$PSScriptRoot\poisdetc.wxs" -arch x64 -ext WixToolset.UI.wixext -out $package `
    -d "Version=$version" -d "Binary=$binary" -d "Icon=$icon" -d "Licence=$licence" -d "Root=$root"
if ($LASTEXITCODE) { throw 'wix failed' }
Sign $package
Write-Output $package
