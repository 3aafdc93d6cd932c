#!/bin/sh
# Runs from the release that is being replaced.
app="${SLIPWAY_ROOT%/}/srv/webapp"
if [ -f "$app/pid" ]; then
    pid=$(cat "$app/pid")
    kill "$pid" 2>/dev/null
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
    rm -f "$app/pid" "$app/port"
    echo "stopped the server (pid $pid)"
else
    echo "nothing to stop"
fi
