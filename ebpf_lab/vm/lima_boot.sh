#!/bin/sh
# One boot of a machine such as Lima's: provisioning scripts as root, probes as the user, then the lab's own check.
exec >>/lab/output 2>&1
since=$(date +%s)
took() {
    echo "== $(($(date +%s) - since)) s: $*"
}
status=0
took "Linux $(uname -r) has booted, up since $(cut -d . -f 1 /proc/uptime) s"

# /run is mounted so that nothing in it can be executed.
for script in /lab/provision/*; do
    cp "$script" /var/tmp/lima-script
    chmod 755 /var/tmp/lima-script
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root /var/tmp/lima-script
    took "provisioning script ${script##*/} ended with status $?"
done

# As Lima has it: it tries each this often, and gives up then.
for probe in /lab/probes/*; do
    [ "${probe%.hint}" = "$probe" ] || continue
    cp "$probe" /var/tmp/lima-script
    chmod 755 /var/tmp/lima-script
    tries=0
    until runuser -u learner -- /var/tmp/lima-script; do
        tries=$((tries + 1))
        if [ "$tries" -ge "${PROBE_TRIES:-200}" ]; then
            echo "probe ${probe##*/} failed:"
            cat "$probe.hint"
            status=1
            break
        fi
        sleep 3
    done
    took "probe ${probe##*/} after $tries failed tries"
done

if [ "$status" -eq 0 ]; then
    ps -o user=,args= -p "$(systemctl show -P MainPID ebpf-lab.service)"
    check="/var/lib/ebpf-lab/venv/bin/python /srv/ebpf-lab/lima/check.py $(cat /lab/lessons)"
    runuser -l learner -c "$check" || status=1
    took "checks ended with status $status"
fi
[ "$status" -eq 0 ] || journalctl --no-pager -u ebpf-lab -n 60
echo "$status" >/lab/status
systemctl reboot
