#!/bin/sh
# Runs from the release that is being replaced. The server removes its pid file when it ends.
app="${SLIPWAY_ROOT%/}/srv/webapp"
if pid=$(cat "$app/pid" 2>/dev/null) && kill "$pid" 2>/dev/null; then
    while [ -e "$app/pid" ] && kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
    echo "stopped the server (pid $pid)"
else
    echo "nothing to stop"
fi
rm -f "$app/pid" "$app/listening"
