# shellcheck shell=bash disable=SC2154
# What --secure adds to the broker of ../services.d/kafka.sh: two more listeners that want a login (SASL, PLAIN or
# SCRAM-SHA-512), one of them with TLS. User, authority and certificate are made with the broker's data and go with it.

secure_user=barista
# On the home's own loopback address, behind the controllers' ports.
tls_port=17395
sasl_port=17396

is_secure() { [ -e "$(data_dir)/ca.pem" ]; }

# The authority's key signs one certificate, and is then thrown away.
make_certificate() {
    local new=(-keyalg EC -groupname secp256r1 -validity 3650)
    head -c 18 /dev/urandom | base64 | tr '+/' '-_' | as_account tee "$(data_dir)/password" >/dev/null
    in_key_store -genkeypair "${new[@]}" -alias authority -dname "CN=Coffee-RT local authority" -ext bc:critical=ca:true
    in_key_store -genkeypair "${new[@]}" -alias broker -dname CN=kafka -signer authority -ext "san=ip:$(own_address)"
    in_key_store -exportcert -alias authority -rfc -file "$(data_dir)/ca.pem"
    in_key_store -delete -alias authority
}

in_key_store() {
    (cd / && as_account "$(dirname "$(readlink -f "$java")")/keytool" "$@" -storetype PKCS12 \
        -keystore "$(data_dir)/broker.p12" -storepass:file "$(data_dir)/password") >>"$service_dir/log" 2>&1 ||
        failed_start "its certificate could not be made"
}

# Words for the program that formats the storage, which is where SCRAM's users live.
scram_user() { printf '%s\n' --add-scram "SCRAM-SHA-512=[name=$secure_user,password=$(cat "$(data_dir)/password")]"; }

secure_listeners() { echo ",SASL_SSL://$(own_address):$tls_port,SASL_PLAINTEXT://$(own_address):$sasl_port"; }

secure_settings() {
    local listener password login=org.apache.kafka.common.security
    password=$(cat "$(data_dir)/password")
    cat <<END

listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,SASL_PLAINTEXT:SASL_PLAINTEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
ssl.keystore.type=PKCS12
ssl.keystore.location=$(data_dir)/broker.p12
ssl.keystore.password=$password
END
    for listener in sasl_ssl sasl_plaintext; do
        cat <<END
listener.name.$listener.plain.sasl.jaas.config=$login.plain.PlainLoginModule required user_$secure_user="$password";
listener.name.$listener.scram-sha-512.sasl.jaas.config=$login.scram.ScramLoginModule required;
END
    done
}

secure_env() {
    echo "export KAFKA_SECURE_BOOTSTRAP_SERVERS=$(own_address):$tls_port"
    echo "export KAFKA_SASL_BOOTSTRAP_SERVERS=$(own_address):$sasl_port"
    echo "export KAFKA_SECURE_CA=$(data_dir)/ca.pem"
    echo "export KAFKA_SECURE_USER=$secure_user"
    echo "export KAFKA_SECURE_PASSWORD=$(cat "$(data_dir)/password")"
}
