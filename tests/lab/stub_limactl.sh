#!/bin/sh
# Stands for limactl: notes each call as a line of |-separated arguments, and keeps what it was told of the machine.
line=
for word; do line="$line$word|"; done
printf '%s\n' "limactl|$line" >>"$STUB/calls"
case $1 in
    list)
        case $* in
            *Status*) cat "$STUB/status" 2>/dev/null || exit 1 ;;
            *Dir*) echo "$STUB/machine" ;;
        esac
        ;;
    validate) ;;
    start)
        [ ! -e "$STUB/broken" ] || exit 1
        echo Running >"$STUB/status"
        mkdir -p "$STUB/machine/copied-from-guest"
        echo "http://127.0.0.1:18888/lab?token=abc" >"$STUB/machine/copied-from-guest/url"
        for word; do
            case $word in
                .param.Project*) printf 'param:\n  Project: %s\n' "${word#*= }" >"$STUB/machine/lima.yaml" ;;
            esac
        done
        ;;
    stop)
        echo Stopped >"$STUB/status"
        rm -f "$STUB/restart"
        ;;
    shell)
        case $* in
            *"test -e /run/ebpf-lab/restart") test -e "$STUB/restart" ;;
            *pytest-fails*) exit 7 ;;
        esac
        ;;
    *) exit 64 ;;
esac
