#!/bin/sh
# mmdebstrap runs this when all packages are there: what Debian's cloud image and Lima add to them.
set -eu
root=$1

# Lima's user has the name of the host's, and may do all by sudo.
chroot "$root" useradd --create-home --shell /bin/bash --uid 1000 learner
echo 'learner ALL=(ALL) NOPASSWD:ALL' >"$root/etc/sudoers.d/90-lima"
echo lima-ebpf-lab >"$root/etc/hostname"
echo '127.0.0.1 localhost lima-ebpf-lab' >"$root/etc/hosts"

# Where a company looks into what is encrypted, its computers have certificates for that.
if [ -d /usr/local/share/ca-certificates ]; then
    cp -r /usr/local/share/ca-certificates "$root/usr/local/share/"
    chroot "$root" update-ca-certificates >/dev/null
fi

cat >"$root/etc/fstab" <<'END'
/dev/vda / ext4 defaults 0 1
project /srv/ebpf-lab 9p trans=virtio,version=9p2000.L,msize=512000,cache=loose 0 0
lab /lab 9p trans=virtio,version=9p2000.L,msize=512000,cache=none 0 0
END
mkdir -p "$root/srv/ebpf-lab" "$root/lab"

# What takes long on an emulated processor, and shows nothing: compiling each Python file that pip installs, where
# importing it does the same; and waiting for each file to be on a disk that is thrown away.
printf '[install]\nno-compile = true\n' >"$root/etc/pip.conf"
echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/90-no-waiting"

printf '[Match]\nType=ether\n[Network]\nDHCP=ipv4\n' >"$root/etc/systemd/network/80-lima.network"
# QEMU answers at this address.
rm -f "$root/etc/resolv.conf"
echo 'nameserver 10.0.2.3' >"$root/etc/resolv.conf"

# In the place of cloud-init and of Lima's ssh: runs what the host has left in the share.
cat >"$root/etc/systemd/system/lima.service" <<'END'
[Unit]
Description=Provisioning, probes and checks of the host
Wants=network-online.target
After=network-online.target
RequiresMountsFor=/lab /srv/ebpf-lab
[Service]
Type=oneshot
ExecStart=/bin/sh /lab/boot
TimeoutStartSec=infinity
[Install]
WantedBy=multi-user.target
END
chroot "$root" systemctl -q enable systemd-networkd.service systemd-networkd-wait-online.service lima.service
