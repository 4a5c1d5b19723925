-- Installed by Brushreel: brushreel resolve install
-- Workspace > Scripts > Brushreel (Lua): how to use Brushreel with this edition.

local RESOLVE = resolve or (app and app:GetResolve())
local product = RESOLVE and RESOLVE:GetProductName() or "DaVinci Resolve"
local version = RESOLVE and RESOLVE:GetVersionString() or "unknown"
local major, minor = version:match("^(%d+)%.(%d+)")
major, minor = tonumber(major) or 0, tonumber(minor) or 0
local studio = product:find("Studio") ~= nil
local python = studio or major < 21 or (major == 21 and minor < 1)

local lines = { "Brushreel: this is " .. product .. " " .. version .. "." }
if python then
  table.insert(lines, "Start it with the other entry, Workspace > Scripts > Brushreel.")
  table.insert(lines, "If that entry is missing, Resolve does not find Python: install Python 3.10 to 3.12")
  table.insert(lines, "for all users from python.org, restart Resolve, and try again.")
else
  table.insert(lines, "From 21.1 on, this edition runs no Python scripts. There are two other ways:")
  table.insert(lines, "  1. File > Export > Timeline (.fcpxml, .xml or .otio), then in a terminal:")
  table.insert(lines, "     brushreel timeline cut.xml -s wave -o cut.wave.xml, and import the result.")
  table.insert(lines, "  2. The effect Brushreel (OpenFX) on the Color page: brushreel resolve install --ofx")
end
print(table.concat(lines, "\n"))
