# shellcheck shell=sh
# ./lab bundle: the project, and beside it in bundle/ all that ./lab start installs, in one archive. Unpacked on a
# machine of the same system, ./lab takes everything from there and fetches nothing. Sourced by ./lab.

make_bundle() {
    archive=
    while [ $# -gt 0 ]; do
        case $1 in
            --output)
                shift
                archive=${1-}
                [ -n "$archive" ] || die "--output which file?" "for example: ./lab bundle --output ebpf-lab.tar"
                ;;
            *) die "bundle has no option $1" "./lab help" ;;
        esac
        shift
    done
    if [ -z "$archive" ]; then
        mkdir -p "${root:?}/dist"
        archive=$root/dist/ebpf-lab-$(system | tr ' ' '-').tar
    fi
    [ ! -d "$archive" ] || die "$archive is a directory" "name a file in it"
    directory=$(dirname -- "$archive")
    [ -w "$directory" ] || die "nothing can be written to $directory" "is it there, and yours?"
    directory=$(CDPATH='' cd -- "$directory" && pwd -P)
    archive=$directory/${archive##*/}

    # A project that came in a bundle makes one of what is newest now, not of what it came with.
    # shellcheck disable=SC2034 # for setup.sh
    bundle=
    lock
    want_packages python3 python3-venv
    update_lists
    unlock
    # Beside the archive: /tmp may be small.
    work=$(mktemp -d "$directory/.bundle.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    packed=$work/ebpf-lab
    mkdir -p "$packed/bundle/debs" "$packed/bundle/wheels"
    copy_project || die "the project could not be copied" "tar's own words are above"
    step "fetching the system's packages" fetch_debs ||
        die "apt could not fetch the packages" "is the network there? apt's own words are above"
    step "fetching Python packages" fetch_wheels ||
        die "pip could not fetch the packages" "is the network there? pip's own words are above"
    step "packing $archive" pack || die "the archive could not be packed" "is the disk full?"
    size=$(du -m "$archive" | cut -f 1)
    sum=$(sha256sum <"$archive" | cut -d ' ' -f 1)
    say "$size MB for $(system); sha256sum $sum"
    say "without a network: tar -xf ${archive##*/}, cd ebpf-lab, ./lab start"
    printf '%s\n' "$archive"
}

# What git would keep; git itself need not be here, nor the project come from it.
copy_project() {
    sed 's,/$,,' "$root/.gitignore" >"$work/excluded"
    tar -C "$root" --exclude=.git --exclude-from="$work/excluded" -cf "$work/project.tar" . &&
        tar -C "$packed" -xf "$work/project.tar"
}

# Chosen as if nothing were installed, so that all is there whatever a machine lacks.
fetch_debs() {
    # shellcheck disable=SC2086 # a list of words
    choose_packages ${base_packages:?} "linux-headers-${release:?}?"
    mkdir -p "$work/apt/archives/partial"
    # shellcheck disable=SC2086 # a list of words
    apt-get -q -y -o Dir::State::status=/dev/null -o Dir::Cache="$work/apt" -o Debug::NoLocking=1 \
        -o APT::Sandbox::User=root --no-install-recommends --download-only install ${chosen:?} || return 1
    mv "$work"/apt/archives/*.deb "$packed/bundle/debs" || return 1
    # shellcheck disable=SC2046 # package names
    (cd "$packed/bundle/debs" && apt-get -q -o APT::Sandbox::User=root download "$(newest_headers)" $(header_packages))
}

# Of the versions that the tests run with, for the Python that find_python finds on such a machine. hatchling and
# editables are what pip makes the project's own package with.
fetch_wheels() {
    "$(find_python)" -m venv "$work/venv" &&
        "$work/venv/bin/python" -m pip wheel --disable-pip-version-check --progress-bar off \
            --constraint "$root/tests/constraints.txt" --wheel-dir "$packed/bundle/wheels" \
            "${packed}[lab]" hatchling editables &&
        rm "$packed"/bundle/wheels/ebpf_lab-*.whl
}

pack() {
    cd "$packed/bundle" || return 1
    for package in debs/*.deb; do
        # In the address of a file, apt would take %3a for a colon.
        name=$(printf '%s' "${package#debs/}" | tr '%' '-')
        [ "debs/$name" = "$package" ] || mv "$package" "debs/$name" || return 1
        dpkg-deb -f "debs/$name" || return 1
        printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$name" "$(wc -c <"debs/$name")" \
            "$(sha256sum <"debs/$name" | cut -d ' ' -f 1)"
    done >debs/Packages
    system >made-for
    # /run/ebpf-lab/bundle is a link to where this was unpacked, which may have any name and be private.
    cat >apt.conf <<'END'
Dir::Etc::SourceList "/run/ebpf-lab/bundle/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "/run/ebpf-lab/lists";
Dir::Cache "/run/ebpf-lab/cache";
APT::Sandbox::User "root";
END
    echo "deb [trusted=yes] file:/run/ebpf-lab/bundle/debs ./" >sources.list
    find . -type f ! -name SHA256SUMS -exec sha256sum {} + >"$work/sums" && mv "$work/sums" SHA256SUMS &&
        tar -C "$work" --owner=0 --group=0 --numeric-owner --sort=name -cf "$work/archive.tar" ebpf-lab &&
        mv "$work/archive.tar" "$archive"
}
