# shellcheck shell=bash
# Disks of a given size for one folder each, made of memory, so that they can be filled. Source it after lib.sh.

readonly BALLAST=ballast

is_disk() { mountpoint --quiet "$1"; }

# mount_disk FOLDER MIB OWNER
mount_disk() {
    may_become_root || die "a disk of its own for $1 needs root, to be mounted"
    as_root mount -t tmpfs -o "size=$2m,mode=700" coffee-rt "$1" || die "no disk could be mounted at $1"
    as_root chown "$3" "$1"
}

unmount_disk() { if is_disk "$1"; then as_root umount "$1"; fi; }

# Writes until nothing fits any more, and fails if something does. Never fills a disk that others share.
fill_disk() {
    is_disk "$1" || die "$1 is no disk of its own"
    if as_root dd if=/dev/zero of="$1/$BALLAST" bs=64K status=none 2>/dev/null; then die "$1 cannot be filled"; fi
}

free_disk() { as_root rm -f "$1/$BALLAST"; }
