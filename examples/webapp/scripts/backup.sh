#!/bin/sh
app="${SLIPWAY_ROOT%/}/srv/webapp"
if [ -d "$app/site" ]; then
    rm -rf "$app/previous"
    cp -a "$app/site" "$app/previous"
    echo "kept a copy of the current site"
fi
