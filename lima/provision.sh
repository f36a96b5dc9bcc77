#!/bin/sh
# Makes a Debian or Ubuntu machine into the lab: packages, kernel headers, the Python environment, and JupyterLab
# as a service of one ordinary user.
#
# It runs as root at every boot. Each part looks at what is there and does what is missing, so that the first run
# takes minutes and a later one seconds; what Python packages are installed is known by a hash of what decides
# it, and the headers are those of the kernel that runs now.
#
# From the environment:
#   LAB_USER     whose JupyterLab it is: an ordinary user, who must exist
#   LAB_PROJECT  where the project is (where this script is); the user must be able to write there
#   LAB_STATE    a directory on a disk of the machine's own, for the Python environment and the token
#                (/var/lib/ebpf-lab): shared directories of virtual machines refuse what pip does
#   LAB_PORT     at which port of 127.0.0.1 JupyterLab listens (18888)
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
: "${LAB_USER:?whose JupyterLab is it?}" "${LAB_PROJECT:=${here%/lima}}" "${LAB_STATE:=/var/lib/ebpf-lab}"
: "${LAB_PORT:=18888}"

say() {
    printf 'provision: %s\n' "$*"
}

die() { # WHAT HINT
    say "error: $1" >&2
    say "$2" >&2
    exit 1
}

[ "$(id -u)" -eq 0 ] || die "this changes the whole machine" "run it as root: sudo LAB_USER=$(id -un) sh $0"
id -u "$LAB_USER" >/dev/null 2>&1 || die "there is no user $LAB_USER" "adduser $LAB_USER"
[ -e "$LAB_PROJECT/pyproject.toml" ] || die "$LAB_PROJECT does not hold the project" "is it mounted?"
# These words go into a unit and into a file that the shell reads.
case "$LAB_USER$LAB_PROJECT$LAB_STATE" in
    *[!A-Za-z0-9/._-]*) die "a path has characters other than letters, digits and ._-" "choose another path" ;;
esac
case $LAB_PORT in
    *[!0-9]* | ? | ?? | ??? | ??????*)
        die "$LAB_PORT is no port for an ordinary user" "take one from 1024 to 65535"
        ;;
esac

# Where ./lab finds what belongs to this machine, and not to the project.
venv=$LAB_STATE/venv
mkdir -p "$LAB_STATE"
chown "$LAB_USER:" "$LAB_STATE"
cat >/etc/ebpf-lab.conf <<END
# Written by lima/provision.sh at every boot.
EBPF_LAB_PROJECT=$LAB_PROJECT
EBPF_LAB_VENV=$venv
END

# Debian's own 3 and Ubuntu's 4 keep CAP_PERFMON out of perf_event_open(2), and leave it to CAP_SYS_ADMIN alone.
# 2 is the kernel's own default: processes without capabilities may still measure only themselves.
mkdir -p /etc/sysctl.d
cat >/etc/sysctl.d/60-ebpf-lab.conf <<END
# Written by lima/provision.sh: lets CAP_PERFMON do what it is for.
kernel.perf_event_paranoid = 2
END
echo 2 >/proc/sys/kernel/perf_event_paranoid

# The archive has headers of its newest kernel only, and an image's kernel is seldom that: then the newest is
# installed beside it, for the next boot. Until then the bcc dialect works with headers that nearly fit.
release=$(uname -r)
if [ ! -e "/lib/modules/$release/build/include" ] && command -v apt-get >/dev/null; then
    apt-get -q update || say "the package lists could not be updated: is the network there?"
    if ! apt-cache policy "linux-headers-$release" 2>/dev/null | grep -q 'Candidate: [^(]'; then
        flavour=$(printf '%s' "$release" | sed -E 's/^[0-9.]+(\+[a-z0-9]+)?(-[0-9]+)?-//')
        say "there are no headers of $release: installing the newest kernel ($flavour) and its headers"
        DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get -q -y -o DPkg::Lock::Timeout=600 install \
            --no-install-recommends "linux-image-$flavour" "linux-headers-$flavour" ||
            say "that failed: the libbpf dialect needs no headers, and works"
    fi
fi
# What a restart would bring is told to ./lab start, which restarts the machine.
mkdir -p /run/ebpf-lab
rm -f /run/ebpf-lab/restart
newest=$(find /boot -maxdepth 1 -name 'vmlinuz-*' -printf '%f\n' | sed 's/^vmlinuz-//' | sort -V | tail -n 1)
if [ -n "$newest" ] && [ "$newest" != "$release" ] && [ -e "/lib/modules/$newest/build/include" ] &&
    ! grep -qs "\"$release\"" "/lib/modules/$release/build/include/generated/utsrelease.h"; then
    echo "$newest" >/run/ebpf-lab/restart
    say "restart the machine for Linux $newest, whose headers are here"
fi

# The same that ./lab does on any Linux; the environment belongs to the user.
before=$(cat "$venv/lab-installed" 2>/dev/null || true)
"$LAB_PROJECT/lab" --user "$LAB_USER" setup

# One token for the machine's life, so that an address that somebody kept goes on working.
if [ ! -s "$LAB_STATE/token" ]; then
    (umask 077 && od -A n -N 24 -t x1 /dev/urandom | tr -d ' \n' >"$LAB_STATE/token")
fi
chown "$LAB_USER:" "$LAB_STATE/token"
(umask 077 && printf 'http://127.0.0.1:%s/lab?token=%s\n' "$LAB_PORT" "$(cat "$LAB_STATE/token")" >"$LAB_STATE/url")
chown "$LAB_USER:" "$LAB_STATE/url"

unit=/etc/systemd/system/ebpf-lab.service
wanted=$(sed -e "s|@USER@|$LAB_USER|g" -e "s|@PROJECT@|$LAB_PROJECT|g" -e "s|@VENV@|$venv|g" \
    -e "s|@STATE@|$LAB_STATE|g" -e "s|@PORT@|$LAB_PORT|g" "$LAB_PROJECT/lima/ebpf-lab.service")
action=start
if [ "$wanted" != "$(cat "$unit" 2>/dev/null)" ]; then
    mkdir -p "${unit%/*}"
    printf '%s\n' "$wanted" >"$unit"
    systemctl daemon-reload
    action=restart
fi
[ "$before" = "$(cat "$venv/lab-installed")" ] || action=restart
systemctl -q enable ebpf-lab.service
# Who waits for it are the probes: this must not hold up the boot.
systemctl --no-block "$action" ebpf-lab.service
say "done: JupyterLab is starting at port $LAB_PORT; $LAB_STATE/url has its address"
