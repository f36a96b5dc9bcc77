# shellcheck shell=sh
# ./lab on a Mac, which has no Linux: each verb works in a virtual machine that Lima keeps. Sourced by ./lab, which
# sets $root.

instance=${EBPF_LAB_INSTANCE:-ebpf-lab}
template=${root:?}/lima/ebpf-lab.yaml
guest=/srv/ebpf-lab

lima() { # VERB ARGUMENT...
    verb=${1-help}
    [ $# -eq 0 ] || shift
    case $verb in
        help | -h | --help) usage ;;
        start) lima_start "$@" ;;
        stop)
            want_lima
            if [ "$(lima_status)" = Running ]; then
                say "stopping the virtual machine; ./lab start takes it up again"
                limactl stop "$instance"
            else
                say "the virtual machine is not running"
            fi
            ;;
        setup) want_machine ;;
        demo | run | strace | snippets | doctor | exec | shell | vm | test | soak | bench | book | bundle)
            want_machine
            exec limactl shell --workdir "$(lima_directory)" "$instance" "$guest/lab" "$verb" "$@"
            ;;
        *)
            usage >&2
            die "there is no verb $verb"
            ;;
    esac
}

lima_start() {
    browser=1
    for option; do
        case $option in
            --no-browser) browser= ;;
            *) die "start has no option $option" "./lab help" ;;
        esac
    done
    want_machine
    # Somebody may have ended it with ./lab stop in there; where it runs, this does nothing.
    limactl shell --workdir / "$instance" sudo systemctl start ebpf-lab.service
    file=$(limactl list --format '{{.Dir}}' "$instance")/copied-from-guest/url
    [ -s "$file" ] || die "the virtual machine runs, and its JupyterLab has not said its address" \
        "limactl shell $instance sudo tail -n 40 /var/log/cloud-init-output.log"
    address=$(cat "$file")
    printf '%s\n' "$address"
    if [ -n "$browser" ] && open "$address"; then
        say "the course is open in a browser; ./lab stop ends it"
    else
        say "open this address in a browser; ./lab stop ends it"
    fi
}

want_lima() {
    command -v limactl >/dev/null || die "Lima, which runs Linux on a Mac, is not installed" "brew install lima"
}

lima_status() {
    limactl list --format '{{.Status}}' "$instance" 2>/dev/null || true
}

want_machine() {
    want_lima
    case $(lima_status) in
        Running) check_project ;;
        Stopped)
            check_project
            say "starting the virtual machine ..."
            lima_boot "$instance"
            ;;
        "")
            case $root in
                *[\"\\]*) die "the path $root has a quote or a backslash" "move the project to another place" ;;
            esac
            limactl validate "$template" || die "this Lima does not take $template" "brew upgrade lima"
            say "making a virtual machine with this project in it; it takes some minutes, once ..."
            lima_boot --name "$instance" --set ".param.Project = \"$root\"" "$template"
            ;;
        *) die "the virtual machine $instance is neither running nor stopped" "limactl stop --force $instance" ;;
    esac
    # An image's kernel is seldom the one that there are headers of: the first boot installs that one.
    if limactl shell --workdir / "$instance" test -e /run/ebpf-lab/restart; then
        say "restarting the virtual machine with the kernel that its headers are for ..."
        limactl stop "$instance"
        lima_boot "$instance"
    fi
}

lima_boot() {
    limactl start --tty=false --timeout 40m "$@" || die "the virtual machine did not come up" \
        "what mends it is above, behind \"hint\"; lima/README.md has more"
}

# One machine shows one directory: of two copies of the project, only the one that made it is in there.
check_project() {
    shown=$(sed -n 's/^ *Project: *//p' "$(limactl list --format '{{.Dir}}' "$instance")/lima.yaml" |
        tail -n 1 | tr -d "\"'")
    [ "$shown" = "$root" ] || die "the virtual machine $instance shows another directory: $shown" \
        "work there, or take a machine of its own for this one: EBPF_LAB_INSTANCE=ebpf-lab-2 ./lab start"
}

# Where we are, as the machine sees it; outside of the project it sees nothing.
lima_directory() {
    case $PWD/ in
        "$root"/*) printf '%s%s' "$guest" "${PWD#"$root"}" ;;
        *) printf '%s' "$guest" ;;
    esac
}
