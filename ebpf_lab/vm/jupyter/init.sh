#!/bin/busybox sh
# shellcheck shell=dash
# The first process of the guest in which a Jupyter kernel lives. It starts the kernel from files that came with
# it, says "ready" on the console, and waits: the host saves the machine there. A copy goes on with the line that
# the host writes to the console, the time, then mounts the host's files and lets the kernel go on in them.
# Later lines on the console are names of signals for the kernel.

# shellcheck source=ebpf_lab/vm/guest_common.sh
. /common

prepare
stty -F /dev/console -echo
# The address that QEMU's own network gives its first guest. There is no way out of it.
ifconfig eth0 10.0.2.15 netmask 255.255.255.0

mkfifo /out /err /go /ready
# Opened for both directions, so that the kernel can be started before anything reads what it prints.
exec 3<>/out 4<>/err 5<>/go
setsid /bin/sh /start </dev/null >/out 2>/err 3>&- 4>&- 5>&- &
kernel=$!
cat /err >/dev/console &
early=$!
# The end of the kernel interrupts this.
head -n 1 </ready >/dev/console || poweroff -f

read -r now </dev/console
echo "$now" >&5
kill "$early"
mount_host
cat /out >>/.lab/stdout 3>&- 4>&- 5>&- &
out=$!
cat /err >>/.lab/stderr 3>&- 4>&- 5>&- &
err=$!
exec 3>&- 4>&-
echo mounted >&5
while read -r signal; do
    # The kernel leads a session: its children in the same group get the signal too, as from a terminal.
    kill "-$signal" "-$kernel"
done </dev/console &
wait "$kernel"
finish $? "$out" "$err"
