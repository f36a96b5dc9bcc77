# shellcheck shell=sh
# What ./lab needs before a verb can run: apt packages, kernel headers, .venv, tracefs. Sourced by ./lab, which
# sets $root, and $user where root works for somebody. Each function looks first and does nothing when all is
# there.

venv=${root:?}/.venv
# A machine made by lima/provision.sh has the environment on a disk of its own, and JupyterLab as a service.
service=
# shellcheck source=/dev/null
if [ -r /etc/ebpf-lab.conf ] && . /etc/ebpf-lab.conf && [ "${EBPF_LAB_PROJECT-}" = "$root" ]; then
    venv=$EBPF_LAB_VENV
    # shellcheck disable=SC2034 # for ./lab
    [ ! -d /run/systemd/system ] || service=ebpf-lab.service
fi
machine=$(uname -m)
release=$(uname -r)

say() {
    printf 'lab: %s\n' "$*" >&2
}

die() { # WHAT [HINT]
    say "error: $1"
    [ $# -lt 2 ] || printf '     %s\n' "$2" >&2
    exit 1
}

may_be_root() {
    [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root, and sudo is not installed: $*" "become root (su -) and run ./lab again"
    fi
}

# What belongs to the learner is made by the learner, also where root does the rest.
as_user() {
    if [ -z "${user-}" ]; then
        "$@"
    else
        setpriv --reuid "$(id -u "$user")" --regid "$(id -g "$user")" --init-groups \
            env HOME="$(home_of "$user")" USER="$user" LOGNAME="$user" "$@"
    fi
}

work_for() { # USER
    [ "$(id -u)" -eq 0 ] || die "--user is for root, who may work for anybody" "run ./lab without it"
    [ -n "$1" ] || die "--user whom?" "for example: ./lab --user \"\$LOGNAME\" start"
    id -u "$1" >/dev/null 2>&1 || die "there is no user $1" "adduser $1"
    user=$1
    as_user test -r "$root/pyproject.toml" || die "$1 may not read $root" "put the project where $1 can read it"
}

home_of() { # USER
    getent passwd "$1" | cut -d : -f 6
}

# Run a command out of sight, say every 10 s what it is at, and show the end of its output if it fails.
step() { # MESSAGE COMMAND...
    say "$1 ..."
    shift
    log=$(mktemp)
    "$@" </dev/null >"$log" 2>&1 9<&- &
    job=$!
    # A background job ignores Ctrl-C, so it is ended with us.
    trap 'kill "$job" 2>/dev/null; rm -f "$log"; exit 130' INT TERM HUP
    waited=0
    while kill -0 "$job" 2>/dev/null; do
        sleep 1
        waited=$((waited + 1))
        [ $((waited % 10)) -ne 0 ] || say "  $waited s: $(tr '\r' '\n' <"$log" | grep . | tail -n 1 | cut -c 1-90)"
    done
    code=0
    wait "$job" || code=$?
    trap - INT TERM HUP
    [ "$code" -eq 0 ] || tail -n 20 "$log" | sed 's/^/     | /' >&2
    rm -f "$log"
    return "$code"
}

# --- apt ---------------------------------------------------------------------------------------------------

# Installs what is missing. A word "one|other" is met by any of these packages, and the first that this
# distribution has is installed; a word ending in "?" is left out where the distribution has none.
want_packages() {
    # shellcheck disable=SC2046 # package names
    have=$(dpkg-query -W -f ' ${Package} ${db:Status-Status}\n' \
        $(printf '%s\n' "$@" | tr '|' '\n' | tr -d '?') 2>/dev/null | grep ' installed$' || true)
    missing=
    for word; do
        present=
        for name in $(alternatives "$word"); do
            case $have in *" $name installed"*) present=1 ;; esac
        done
        [ -n "$present" ] || missing="$missing $word"
    done
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || die "these packages are missing, and there is no apt-get:$missing" \
        "the lab runs on Debian 12 or 13 and on Ubuntu 24.04"
    as_root true # sudo asks for its password here, where it can be seen
    update_lists
    chosen=
    for word in $missing; do
        found=$(first_known "$word")
        if [ -n "$found" ]; then
            chosen="$chosen $found"
        else
            case $word in
                *\?) say "going on without ${word%\?}: apt has no such package here" ;;
                *) die "apt has no package $word" "is a package source missing in /etc/apt?" ;;
            esac
        fi
    done
    [ -n "$chosen" ] || return 0
    # shellcheck disable=SC2086 # a list of words
    step "installing with apt:$chosen" install_packages $chosen ||
        die "apt could not install:$chosen" "its own words are above; mend that and run ./lab again"
}

alternatives() { # WORD
    printf '%s' "${1%\?}" | tr '|' '\n'
}

first_known() { # WORD
    for name in $(alternatives "$1"); do
        if apt-cache policy "$name" 2>/dev/null | grep -q 'Candidate: [^(]'; then
            printf '%s' "$name"
            return
        fi
    done
}

lists_updated=
update_lists() {
    [ -z "$lists_updated" ] || return 0
    lists_updated=1
    # A machine fresh from its installer may be updating itself just now, and holds apt's lock.
    for pause in 15 30 60 0; do
        ! step "updating apt's package lists" as_root apt-get -q update || return 0
        sleep "$pause"
    done
    die "apt's package lists could not be updated" "is the network there? apt's own words are above"
}

install_packages() {
    # Without these two, debconf or needrestart would ask questions that nobody sees.
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get -q -y -o DPkg::Lock::Timeout=600 \
        install --no-install-recommends "$@"
}

# --- headers, for the bcc dialect --------------------------------------------------------------------------

want_headers() {
    modules=/lib/modules/$release
    [ ! -e "$modules/build/include" ] || return 0
    update_lists
    want_packages "linux-headers-$release?"
    [ ! -e "$modules/build/include" ] || return 0
    # The kernel is not the distribution's, whose headers serve for all but the kernel's own structs. They are
    # unpacked, not installed: Debian 13's would bring a kernel along, and make it the one that boots next.
    # shellcheck source=/dev/null
    case $(. /etc/os-release && printf '%s' "$ID")-$machine in
        debian-x86_64) flavour="amd64" ;;
        debian-aarch64) flavour="arm64" ;;
        *) flavour="generic" ;;
    esac
    if ! step "unpacking the distribution's kernel headers" unpack_headers "linux-headers-$flavour"; then
        say "going on without kernel headers: the libbpf dialect works, the bcc dialect does not"
        return 0
    fi
    for tree in "$headers"/usr/src/*; do
        [ ! -e "$tree/include/generated/autoconf.h" ] || build=$tree
        [ ! -e "$tree/include/linux/kconfig.h" ] || source=$tree
    done
    say "kernel $release has no headers: linking those of ${build##*/linux-headers-} (kernel structs may differ)"
    as_root mkdir -p "$modules"
    as_root ln -sfn "$build" "$modules/build"
    as_root ln -sfn "$source" "$modules/source"
}

headers=/usr/local/lib/ebpf-lab/headers

unpack_headers() { # PACKAGE that depends on the headers
    # shellcheck disable=SC2046 # package names
    set -- $(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
        --no-enhances "$1" | grep -E '^linux-(headers|kbuild)-[0-9]')
    [ $# -gt 0 ] || return 1
    scratch=$(mktemp -d)
    (cd "$scratch" && apt-get -q download "$@") || return 1
    as_root rm -rf "$headers"
    as_root mkdir -p "$headers"
    for package in "$scratch"/*.deb; do
        as_root dpkg-deb -x "$package" "$headers" || return 1
    done
    rm -rf "$scratch"
}

# --- the Python environment --------------------------------------------------------------------------------

# .venv/lab-installed says what is installed: a hash of what decides it, and the extras.
want_environment() { # "", "lab" or "lab,test"
    extras=$1
    hash=$({ printf '%s\n' "$root" && cat "$root/pyproject.toml" "$root/tests/constraints.txt"; } | sha256sum |
        cut -d ' ' -f 1)
    if as_user "$venv/bin/python" -c '' 2>/dev/null && [ -e "$venv/lab-installed" ]; then
        read -r had_hash had_extras <"$venv/lab-installed" || true
        # Extras only ever grow by one at the end, so a longer list holds a shorter one.
        case $had_extras in
            "$extras"*)
                [ "$had_hash" != "$hash" ] || return 0
                extras=$had_extras
                ;;
        esac
    fi
    if [ -n "${user-}" ]; then
        mkdir -p "$venv"
        [ "$(stat -c %U "$venv")" = "$user" ] || chown -R "$user:" "$venv"
    fi
    # A venv broken off half-way, or whose Python an upgrade took away, has no working pip.
    if ! as_user "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        python=$(find_python) || die "no Python 3.11 or later with its venv module is here"
        step "making .venv with $("$python" --version)" as_user "$python" -m venv --clear "$venv" ||
            die "the virtual environment could not be made" "may ${user:-$(id -un)} write to $venv?"
    fi
    # The tests run with the same versions everywhere; a learner gets the newest of what pyproject.toml allows.
    set -- --disable-pip-version-check --progress-bar off --editable "$root${extras:+[$extras]}"
    case $extras in *test*) set -- --constraint "$root/tests/constraints.txt" "$@" ;; esac
    step "installing Python packages into .venv${extras:+ ($extras)}" as_user "$venv/bin/python" -m pip install "$@" ||
        die "pip could not install the packages" "is the network there? pip's own words are above"
    # shellcheck disable=SC2016 # its arguments
    as_user sh -c 'printf "%s %s\n" "$2" "$3" >"$1"' sh "$venv/lab-installed" "$hash" "$extras"
}

find_python() {
    for python in /usr/bin/python3 python3.13 python3.12 python3.11 python3; do
        if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s' "$python"
            return
        fi
    done
    return 1
}

# --- the kernel's tracing files ----------------------------------------------------------------------------

want_tracefs() {
    ! grep -q ' /sys/kernel/tracing tracefs ' /proc/mounts || return 0
    say "mounting tracefs on /sys/kernel/tracing"
    as_root mount -t tracefs tracefs /sys/kernel/tracing ||
        say "tracefs could not be mounted, so tracepoints will not be found: ./lab doctor says more"
}
