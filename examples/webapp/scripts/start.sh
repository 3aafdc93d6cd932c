#!/bin/sh
app="${SLIPWAY_ROOT%/}/srv/webapp"
rm -f "$app/port"
python3 "$app/server.py" >"$app/server.log" 2>&1 </dev/null &
echo $! >"$app/pid"
for _ in $(seq 250); do
    [ -s "$app/port" ] && break
    sleep 0.02
done
[ -s "$app/port" ] || { echo "the server did not start" >&2; cat "$app/server.log" >&2; exit 1; }
echo "listening on port $(cat "$app/port")"
