#!/bin/sh
app="${SLIPWAY_ROOT%/}/srv/webapp"
. "${SLIPWAY_ROOT%/}/etc/webapp.env"
rm -f "$app/listening"
# -I and -S: nothing but Python itself, so that it starts quickly.
python3 -I -S "$app/server.py" "$PORT" "$HOST_NAME" >"$app/server.log" 2>&1 </dev/null &
pid=$!
echo "$pid" >"$app/pid"
for _ in $(seq 500); do
    [ -e "$app/listening" ] && break
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.02
done
[ -e "$app/listening" ] || { echo "the server did not start" >&2; cat "$app/server.log" >&2; exit 1; }
echo "listening on port $PORT"
