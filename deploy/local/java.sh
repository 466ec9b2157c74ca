# shellcheck shell=bash disable=SC2034,SC2154
# What the services in Java share: a Java, and their programs, which are fetched once. A file of services.d sources it and says
# $libs, the folder of the programs, and $files, where their pom.xml is.

readonly oldest_java=17

# install_java_service NAME TOOL FETCH: where something is missing installs Java, TOOL and Maven, and calls FETCH with a folder
# in whose libs it puts the programs.
install_java_service() {
    if ! has_programs "$2"; then
        mkdir -p "$repo_dir/.local"
        (flock 8; has_programs "$2" || install_programs "$@") 8>"$repo_dir/.local/$1.lock"
    fi
    java=$(find_java) || die "no java of version $oldest_java or later in PATH"
}

has_programs() { [ -d "$libs" ] && command -v java >/dev/null && command -v "$1" >/dev/null; }

install_programs() {
    install_tools "$2"
    command -v java >/dev/null || install_debian default-jre-headless
    if [ ! -d "$libs" ]; then fetch_programs "$1" "$3"; fi
}

# Only a whole download gets the name that is looked for.
fetch_programs() {
    local folder
    command -v mvn >/dev/null || install_debian maven
    folder=$(mktemp -d "$repo_dir/.local/$1.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$folder'" EXIT
    trap 'exit 130' INT TERM
    mkdir "$folder/libs"
    chmod 755 "$folder/libs"
    "$2" "$folder"
    mv -T "$folder/libs" "$libs"
}

# fetch_jars FOLDER OPTION…: those that the pom.xml names.
fetch_jars() {
    mvn --quiet --batch-mode --strict-checksums --file "$files/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$1" "${@:2}" 2>&1 | sed 's/\x1b\[[0-9;]*m//g' >&2
}

find_java() {
    local java version
    java=$(command -v java) || return 1
    version=$("$java" -version 2>&1 | sed -nE 's/^.* version "([0-9]+).*/\1/p')
    [ "${version:-0}" -ge "$oldest_java" ] && printf '%s\n' "$java"
}
