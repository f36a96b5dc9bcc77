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
# A project unpacked from an archive of ./lab bundle brings all that is to be installed: nothing is fetched.
bundle=
[ ! -d "$root/bundle" ] || bundle=$root/bundle
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

# Whether what programs need can be installed at all; without it the lessons are shown as they were recorded.
may_install() {
    may_be_root && { [ -n "$bundle" ] || command -v apt-get >/dev/null; }
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo ${APT_CONFIG:+"APT_CONFIG=$APT_CONFIG"} "$@"
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

# Sets $missing to what is not installed, and fails where that is nothing. A word "one|other" is met by any of
# these packages; one ending in "?" may be missing where the distribution has none.
lacks_packages() {
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
    [ -n "$missing" ]
}

# Installs what is missing: of a word "one|other" the first that this distribution has.
want_packages() {
    lacks_packages "$@" || return 0
    command -v apt-get >/dev/null || die "these packages are missing, and there is no apt-get:$missing" \
        "the lab runs on Debian 12 or 13 and on Ubuntu 24.04"
    as_root true # sudo asks for its password here, where it can be seen
    update_lists
    # shellcheck disable=SC2086 # a list of words
    choose_packages $missing
    [ -n "$chosen" ] || return 0
    # shellcheck disable=SC2086 # a list of words
    step "installing with apt:$chosen" install_packages $chosen ||
        die "apt could not install:$chosen" "its own words are above; mend that and run ./lab again"
}

# Sets $chosen to the packages that these words stand for.
choose_packages() {
    chosen=
    for word; do
        found=$(first_known "$word")
        if [ -n "$found" ]; then
            chosen="$chosen $found"
        else
            case $word in
                *\?) say "going on without ${word%\?}: apt has no such package here" ;;
                *) die "apt has no package $word" "$(hint "is a package source missing in /etc/apt?")" ;;
            esac
        fi
    done
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
    if [ -n "$bundle" ]; then
        take_packages_from_bundle
        return
    fi
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

# --- a bundle ----------------------------------------------------------------------------------------------

system() {
    # shellcheck source=/dev/null
    (. /etc/os-release && printf '%s %s %s\n' "$ID" "${VERSION_ID-}" "$machine")
}

hint() { # HINT without a bundle
    if [ -n "$bundle" ]; then
        printf '%s' "the bundle has what start needs; with a network, remove $bundle and run ./lab again"
    else
        printf '%s' "$1"
    fi
}

# Whether the bundle is whole and for this machine is looked at once, and only where something is missing.
bundle_checked=
check_bundle() {
    [ -z "$bundle_checked" ] || return 0
    bundle_checked=1
    made_for=$(cat "$bundle/made-for" 2>/dev/null) || made_for="another machine"
    [ "$made_for" = "$(system)" ] || die "the bundle is for $made_for, and this is $(system)" \
        "make one on a machine like this (./lab bundle), or remove $bundle and have a network"
    say "checking the bundle's files ..."
    # A line that is none would go unseen without --strict, and a file without a line without the count.
    if differs=$(cd "$bundle" && LC_ALL=C sha256sum --check --quiet --strict SHA256SUMS 2>/dev/null); then
        [ "$(find "$bundle" -type f | wc -l)" -ne $(($(wc -l <"$bundle/SHA256SUMS") + 1)) ] || return 0
    fi
    differs=$(printf '%s' "$differs" | sed -n 's/: FAILED.*//p' | head -n 3 | tr '\n' ' ')
    differs=${differs% }
    die "the bundle is not as it was packed: ${differs:-SHA256SUMS}" \
        "copy the archive again, compare it (sha256sum), and unpack it into an empty directory"
}

# apt's own settings and lists stay as they are: these are beside them, and gone at the next boot.
take_packages_from_bundle() {
    check_bundle
    as_root mkdir -p /run/ebpf-lab/lists/partial /run/ebpf-lab/cache/archives/partial
    as_root ln -sfn "$bundle" /run/ebpf-lab/bundle
    export APT_CONFIG=/run/ebpf-lab/bundle/apt.conf
    step "reading the bundle's package list" as_root apt-get -q update ||
        die "apt cannot read the bundle's package list" "its own words are above"
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
    if ! step "unpacking the distribution's kernel headers" unpack_headers; then
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

# The package that depends on the newest headers.
newest_headers() {
    case $(system) in
        debian*x86_64) printf 'linux-headers-amd64' ;;
        debian*aarch64) printf 'linux-headers-arm64' ;;
        *) printf 'linux-headers-generic' ;;
    esac
}

header_packages() {
    apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
        --no-enhances "$(newest_headers)" | grep -E '^linux-(headers|kbuild)-[0-9]'
}

unpack_headers() {
    # shellcheck disable=SC2046 # package names
    set -- $(header_packages)
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
want_environment() { # "", "lab", "lab,book" or "lab,book,test"
    extras=$1
    settings=$root/scripts/jupyterlab_settings.json
    # Jupyter's files are copied, not read from here: package.json says what of them there is.
    hash=$({ printf '%s\n' "$root" && cat "$root/pyproject.toml" "$root/tests/constraints.txt" \
        "$root/ebpf_lab/labextension/package.json" "$root/ebpf_lab/notebook/jupyter_config.json" "$settings"; } |
        sha256sum | cut -d ' ' -f 1)
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
    [ -z "$bundle" ] || check_bundle
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
    # What the machine's settings for pip add would be asked, too.
    [ -z "$bundle" ] || set -- --no-index --find-links "$bundle/wheels" "$@"
    step "installing Python packages into .venv${extras:+ ($extras)}" \
        as_user env ${bundle:+PIP_CONFIG_FILE=/dev/null} "$venv/bin/python" -m pip install "$@" ||
        die "pip could not install the packages" "$(hint "is the network there? pip's own words are above")"
    # JupyterLab would ask each learner whether to fetch its makers' news, and look for updates by itself.
    # shellcheck disable=SC2016 # its arguments
    as_user sh -c 'mkdir -p "$2" && cat "$1" >"$2/default_setting_overrides.json"' sh \
        "$settings" "$venv/etc/jupyter/labconfig" ||
        die "the settings of JupyterLab could not be written" "may ${user:-$(id -un)} write to $venv?"
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

# --- programs of another architecture ----------------------------------------------------------------------

# systemd tells the kernel at boot what starts them, where it runs, and the package of that was there by then.
want_foreign_programs() { # MACHINE
    known=/proc/sys/fs/binfmt_misc
    [ ! -e "$known/qemu-$1" ] || return 0
    say "telling the kernel what starts programs for $1"
    [ -e "$known/register" ] || as_root mount -t binfmt_misc binfmt_misc "$known" ||
        die "this kernel starts no programs for $1" "is CONFIG_BINFMT_MISC set?"
    as_root sh -c "cat /usr/lib/binfmt.d/qemu-$1.conf >$known/register" ||
        die "the kernel could not be told what starts programs for $1" "apt-get install --reinstall qemu-user-static"
}
