#!/bin/sh
# Asks the server itself, past the balancer, for the page. Whether it is ready for traffic is for the balancer to say.
app="${SLIPWAY_ROOT%/}/srv/webapp"
. "${SLIPWAY_ROOT%/}/etc/webapp.env"
python3 -I -S - "$PORT" <<'PY'
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
connection.request("GET", "/")
answer = connection.getresponse()
print(answer.status, answer.read().decode())
sys.exit(0 if answer.status == 200 else 1)
PY
