#!/bin/sh
# After removal. Configuration and record stay until dpkg purges; the user stays, as Debian advises.
set -e
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload || true
fi
if [ "$1" = purge ]; then
  rm -rf /var/lib/wegraf /etc/wegraf
fi
