#!/bin/sh
# After installation and upgrade, by dpkg ("configure") and by rpm (1 or 2).
set -e
if command -v systemd-sysusers >/dev/null 2>&1; then
  systemd-sysusers wegraf.conf
elif ! getent passwd wegraf >/dev/null; then
  useradd --system --user-group --home-dir /var/lib/wegraf --shell /usr/sbin/nologin wegraf
fi
# Files that are made here belong to the group of the service, which may read but not change them.
chgrp wegraf /etc/wegraf /etc/wegraf/secrets
chmod 2750 /etc/wegraf /etc/wegraf/secrets
install -d -o wegraf -g wegraf -m 0700 /var/lib/wegraf
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  # Only what runs is started again: the first start is the operator's.
  systemctl try-restart wegraf.service || true
fi
