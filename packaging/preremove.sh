#!/bin/sh
# Before removal, by dpkg ("remove") and by rpm (0); not before an upgrade.
set -e
case "$1" in
  remove | 0)
    if [ -d /run/systemd/system ]; then
      systemctl disable --now wegraf.service wegraf.socket || true
    fi
    ;;
esac
