#!/bin/sh
# Asks the running server for the page and looks for the headline.
app="${SLIPWAY_ROOT%/}/srv/webapp"
port=$(cat "$app/port")
python3 - "$port" <<'PY'
import sys, urllib.request
page = urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/", timeout=5).read().decode()
print(page.strip().splitlines()[-1])
sys.exit(0 if "Hello from version" in page else 1)
PY
