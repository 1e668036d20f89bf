#!/bin/sh
# Starts the simulated org where integration_tests/*.json expect it, then becomes
# the connector. Of the org nothing reaches the connector's stdout and stderr.
/oktasim/oktasim -addr 127.0.0.1:18180 -limits none -seed 7 -users 120 -groups 20 -apps 8 -devices 25 -events 1500 \
  2>/tmp/oktasim.log >&2 &
until grep -q ready /tmp/oktasim.log; do
  kill -0 $! || exit 70
  sleep 0.05
done
exec "$CONNECTOR" "$@"
