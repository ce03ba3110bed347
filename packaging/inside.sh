#!/bin/bash
# Run by `cargo xtask package --check` in a booted systemd that is thrown away: the package installed, used, upgraded,
# removed. Prints a line for each step; the last one is "done" if all went well. No network but the machine's own.
set -euo pipefail
deb=$1
conf=/etc/wegraf/wegraf.yaml
sim=127.0.0.1:8081
trap 'echo "failed in line $LINENO"; systemctl status wegraf --no-pager -n 30 || true' ERR

# http METHOD HOST:PORT PATH [BODY]: the answer's status line and body.
http() {
  local body=${4:-}
  exec 3<>"/dev/tcp/${2%:*}/${2#*:}"
  printf '%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %s\r\n\r\n%s' \
    "$1" "$3" "$2" "$(cat /etc/wegraf/secrets/grafana_token 2>/dev/null || true)" "$(printf %s "$body" | wc -c)" "$body" >&3
  cat <&3
  exec 3<&- 3>&-
}
# until_true SECONDS COMMAND…: waits for it.
until_true() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || { echo "waited in vain: $*"; return 1; }
    sleep 0.1
  done
}
alert() {
  http POST 127.0.0.1:8080 /webhook "{\"version\":\"4\",\"status\":\"firing\",\"alerts\":[{\"status\":\"firing\",\"labels\":{\"alertname\":\"$1\",\"severity\":\"critical\"},\"annotations\":{\"summary\":\"$1\"},\"startsAt\":\"2026-01-01T00:00:00Z\"}]}" | grep -q ' 200 '
}
told() { http GET $sim "/_simulator/messages?webhook=sim-ops-group" | grep -q "$1"; }
main_pid() { systemctl show -p MainPID --value wegraf; }

begun=$(date +%s%N)
dpkg -i "$deb" >/dev/null
echo "installed: $(wegraf --version | head -1)"
systemd-analyze verify --man=no /usr/lib/systemd/system/wegraf.service /usr/lib/systemd/system/wegraf.socket
[ "$(systemctl is-enabled wegraf || true)" = disabled ]
echo "the unit is right, and off until it is asked for"

wegraf simulator --listen $sim >/tmp/simulator.log 2>&1 &
until_true 20 http GET $sim /_simulator/counters
WEGRAF_WEBHOOK=sim-ops-group wegraf init --yes --api-url http://$sim -o $conf >/tmp/init.log
wegraf check -c $conf >/tmp/check.log
systemctl enable --now wegraf 2>/dev/null
alert FirstAlert
until_true 20 told FirstAlert
echo "from the package to an alert on the phone: $(( ($(date +%s%N) - begun) / 1000000 )) ms"

pid=$(main_pid)
[ "$(stat -c %U /proc/"$pid")" = wegraf ]
grep -q '^CapEff:\s*0000000000000000' /proc/"$pid"/status
grep -q '^NoNewPrivs:\s*1' /proc/"$pid"/status
grep -q '^Seccomp:\s*2' /proc/"$pid"/status
[ "$(stat -c %a /var/lib/wegraf)" = 700 ]
echo "a user of its own, no rights; security $(systemd-analyze security wegraf.service --no-pager | grep -oE '[0-9]+\.[0-9]+ [A-Z]+' | tail -1)"

systemctl reload wegraf
cp -p $conf /tmp/right.yaml
echo 'surprise: 1' >>$conf
if systemctl reload wegraf 2>/dev/null; then echo "a wrong file was taken"; exit 1; fi
[ "$(main_pid)" = "$pid" ]
alert AfterWrong
until_true 20 told AfterWrong
cp -p /tmp/right.yaml $conf
systemctl reload wegraf
echo "reload: a right file is taken, a wrong one is refused and the old one stays in force"

kill -9 "$pid"
until_true 30 bash -c "[ \"\$(systemctl show -p MainPID --value wegraf)\" != $pid ] && wegraf health -c $conf"
alert AfterKill
until_true 20 told AfterKill
echo "kill -9: back by itself"

http POST $sim /_simulator/faults '{"match":{"path":"webhook/send"},"action":{"delay_ms":3000}}' | grep -q ' 200 '
alert InFlight
sleep 1
stopping=$(date +%s%N)
systemctl stop wegraf
took=$(( ($(date +%s%N) - stopping) / 1000000 ))
((took < 40000))
systemctl show -p Result --value wegraf | grep -qx success
until_true 10 told InFlight
systemctl start wegraf
wegraf deliveries audit -c $conf >/dev/null
echo "stopped with a message in flight: $took ms, sent once, the record balances"

before=$(main_pid)
dpkg -i "$deb" >/dev/null
until_true 30 wegraf health -c $conf
[ "$(main_pid)" != "$before" ]
cmp -s $conf /tmp/right.yaml
alert AfterUpgrade
until_true 20 told AfterUpgrade
echo "upgraded: restarted, configuration and record untouched"

dpkg -r wegraf >/dev/null
[ -e $conf ] && [ -e /var/lib/wegraf/wegraf.db ] && [ ! -e /usr/bin/wegraf ]
! systemctl is-active --quiet wegraf
dpkg -P wegraf >/dev/null
[ ! -e /etc/wegraf ] && [ ! -e /var/lib/wegraf ]
echo "removed: configuration and record stay; purged: nothing is left"
echo "done"
