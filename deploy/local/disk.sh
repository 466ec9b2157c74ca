# shellcheck shell=bash
# Disks of a given size for one folder each, made of memory, so that they can be filled. Source it after lib.sh.

readonly BALLAST=ballast
readonly DISK_NAME=coffee-rt
readonly UNMOUNT_TRIES=50
readonly FILL_TRIES=50

# One of ours: nothing else is ever filled or unmounted.
is_disk() { [ "$(findmnt --noheadings --output SOURCE --mountpoint "$1")" = "$DISK_NAME" ]; }

# mount_disk FOLDER MIB OWNER
mount_disk() {
    may_become_root || die "a disk of its own for $1 needs root, to be mounted"
    as_root mount -t tmpfs -o "size=$2m,mode=700" "$DISK_NAME" "$1" || die "no disk could be mounted at $1"
    as_root chown "$3" "$1"
}

# What used it may need a moment to let go.
unmount_disk() {
    local try
    for ((try = 1; try <= UNMOUNT_TRIES; try++)); do
        if ! is_disk "$1" || as_root umount "$1" 2>/dev/null; then return; fi
        sleep 0.1
    done
    as_root umount "$1"
}

# Writes until nothing fits any more, and fails if something does. Never fills a disk that others share.
fill_disk() {
    is_disk "$1" || die "$1 is no disk of its own"
    local try
    # Who uses it may give something back meanwhile.
    for ((try = 1; try <= FILL_TRIES; try++)); do
        as_root dd if=/dev/zero of="$1/$BALLAST" bs=64K oflag=append conv=notrunc status=none 2>/dev/null || true
        if [ "$(stat --file-system --format=%a "$1")" -eq 0 ]; then return; fi
        sleep 0.1
    done
    die "$1 could not be filled"
}

free_disk() {
    is_disk "$1" || die "$1 is no disk of its own"
    as_root rm -f "$1/$BALLAST"
}
