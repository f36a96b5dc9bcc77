umount -l /sys/kernel/tracing 2>/dev/null
mkdir -p /tmp/setupw/trc; mount -t tracefs -o gid=65534,mode=0750 tracefs /sys/kernel/tracing
ls -ld /sys/kernel/tracing /sys/kernel/tracing/events/sched/sched_switch/id
HOME=/tmp/setupw/home2 setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=+bpf,+perfmon --ambient-caps=+bpf,+perfmon /work/main/.venv/bin/python /tmp/wt/setup/tests/support/attempts.py tracepoint ring profile
HOME=/tmp/setupw/home2 setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=+bpf,+perfmon --ambient-caps=+bpf,+perfmon /work/main/.venv/bin/python /tmp/wt/setup/tests/support/attempts.py exec_ring.libbpf
