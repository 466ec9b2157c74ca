{{/* Names. Short enough for what is put behind them: a job's revision, a pod's number. */}}
{{- define "coffee-rt.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 44 | trimSuffix "-" -}}
{{- end -}}

{{- define "coffee-rt.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $both := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $both .Values.fullnameOverride | trunc 44 | trimSuffix "-" -}}
{{- end -}}

{{- define "coffee-rt.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "coffee-rt.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Labels that tell pods apart: those of nodes, of the load test, of tests. Takes root and component. */}}
{{- define "coffee-rt.selectorLabels" -}}
app.kubernetes.io/name: {{ include "coffee-rt.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "coffee-rt.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{ include "coffee-rt.selectorLabels" . }}
{{- end -}}

{{- define "coffee-rt.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ printf "%s@%s" .repository .digest }}
{{- else -}}
{{ printf "%s:%s" .repository (default $.Chart.AppVersion .tag) }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Where the release is reached inside the cluster. */}}
{{- define "coffee-rt.url" -}}
{{- printf "http://%s:%d" (include "coffee-rt.fullname" .) (int64 .Values.service.port) -}}
{{- end -}}

{{/* The session cluster of this release: the operator takes no longer a name than 45 letters. */}}
{{- define "coffee-rt.flinkName" -}}
{{- printf "%s-flink" (include "coffee-rt.fullname" . | trunc 39 | trimSuffix "-") -}}
{{- end -}}

{{- define "coffee-rt.flinkUrl" -}}
{{- if .Values.flink.deployment.enabled -}}
{{- printf "http://%s-rest:8081" (include "coffee-rt.flinkName" .) -}}
{{- else -}}
{{- .Values.flink.url -}}
{{- end -}}
{{- end -}}

{{- define "coffee-rt.flinkGatewayUrl" -}}
{{- if .Values.flink.deployment.enabled -}}
{{- printf "http://%s-gateway:8083" (include "coffee-rt.flinkName" .) -}}
{{- else -}}
{{- .Values.flink.gatewayUrl -}}
{{- end -}}
{{- end -}}

{{/* "true" where this release makes a session cluster, otherwise nothing. */}}
{{- define "coffee-rt.makesFlink" -}}
{{- if and .Values.flink.enabled .Values.flink.deployment.enabled -}}
true
{{- end -}}
{{- end -}}

{{- define "coffee-rt.flinkImage" -}}
{{- include "coffee-rt.image" (dict "Values" (dict "image" .Values.flink.deployment.image) "Chart" .Chart) -}}
{{- end -}}

{{/* "true" where orders are in an SQLite file, otherwise nothing. */}}
{{- define "coffee-rt.embedded" -}}
{{- if not (or .Values.postgres.url .Values.postgres.existingSecret) -}}
true
{{- end -}}
{{- end -}}

{{/* Numbers of values are fractions to Helm, and large ones would become 1e+06. */}}
{{- define "coffee-rt.text" -}}
{{- if kindIs "float64" . -}}
{{ int64 . }}
{{- else -}}
{{ toString . }}
{{- end -}}
{{- end -}}

{{/* How long Kubernetes waits for a node: leaving, open requests, 20 s for the actors, and 10 s in reserve. */}}
{{- define "coffee-rt.gracePeriod" -}}
{{- $millis := add (int64 .Values.leaveMs) (int64 .Values.drainDeadlineMs) -}}
{{- $needed := add (div (add $millis 999) 1000) 20 10 -}}
{{- $given := int64 .Values.terminationGracePeriodSeconds -}}
{{- if and (gt $given 0) (lt $given $needed) -}}
{{- fail (printf "terminationGracePeriodSeconds is %d: leaveMs, drainDeadlineMs and 30 s for actors need %d or more; 0 computes it" $given $needed) -}}
{{- end -}}
{{- max $given $needed -}}
{{- end -}}

{{/* What can be ordered, as a map of variables; nothing for the program's own lists. */}}
{{- define "coffee-rt.menu" -}}
{{- with .Values.menu.drinks }}
COFFEE_RT_MENU__DRINKS: {{ toRawJson . | quote }}
{{- end }}
{{- with .Values.menu.stores }}
COFFEE_RT_MENU__STORES: {{ toRawJson . | quote }}
{{- end }}
{{- end -}}

{{/* How clients reach Kafka; takes kafka. */}}
{{- define "coffee-rt.kafkaProtocol" -}}
{{- printf "%s%s" (ternary "SASL_" "" .sasl.enabled) (ternary "SSL" "PLAINTEXT" .tls.enabled) -}}
{{- end -}}

{{/* The chart's own settings, as a map of variables. None of them is a secret. */}}
{{- define "coffee-rt.settings" -}}
COFFEE_RT_LISTEN: "0.0.0.0:8005"
COFFEE_RT_VERSIONS: {{ join "," .Values.versions | quote }}
COFFEE_RT_LOG: {{ .Values.log.filter | quote }}
COFFEE_RT_LOG_FORMAT: {{ .Values.log.format | quote }}
COFFEE_RT_LIMITS__LEAVE_MS: {{ int64 .Values.leaveMs | quote }}
COFFEE_RT_LIMITS__DRAIN_DEADLINE_MS: {{ int64 .Values.drainDeadlineMs | quote }}
COFFEE_RT_AUDIT__EVERY_SECONDS: {{ int64 .Values.auditEverySeconds | quote }}
{{- with .Values.traces }}
{{- if .endpoint }}
COFFEE_RT_TRACES__ENDPOINT: {{ .endpoint | quote }}
COFFEE_RT_TRACES__SAMPLE_RATIO: {{ .sampleRatio | quote }}
{{- end }}
{{- end }}
{{- include "coffee-rt.menu" . }}
{{- if include "coffee-rt.embedded" . }}
COFFEE_RT_SQLITE_PATH: /var/lib/coffee-rt/data/coffee-rt.db
{{- end }}
{{- with .Values.kafka }}
{{- if .bootstrapServers }}
KAFKA_BOOTSTRAP_SERVERS: {{ .bootstrapServers | quote }}
COFFEE_RT_KAFKA__CLIENT__SECURITY__PROTOCOL: {{ include "coffee-rt.kafkaProtocol" . }}
{{- if .sasl.enabled }}
COFFEE_RT_KAFKA__CLIENT__SASL__MECHANISM: {{ .sasl.mechanism }}
{{- end }}
{{- if and .tls.enabled .tls.caSecret }}
COFFEE_RT_KAFKA__CLIENT__SSL__CA__LOCATION: /etc/coffee-rt/kafka/ca.crt
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.flink }}
{{- if .enabled }}
{{- with .engine }}
COFFEE_RT_V3__ENGINE: {{ . }}
{{- end }}
COFFEE_RT_FLINK__URL: {{ include "coffee-rt.flinkUrl" $ | quote }}
COFFEE_RT_FLINK__GATEWAY_URL: {{ include "coffee-rt.flinkGatewayUrl" $ | quote }}
COFFEE_RT_FLINK__PARALLELISM: {{ int64 .parallelism | quote }}
{{- with .kafkaBootstrapServers }}
COFFEE_RT_FLINK__KAFKA_BOOTSTRAP_SERVERS: {{ . | quote }}
{{- end }}
{{- with $.Values.kafka }}
{{- if or .tls.enabled .sasl.enabled }}
COFFEE_RT_FLINK__KAFKA_PROPERTIES__SECURITY__PROTOCOL: {{ include "coffee-rt.kafkaProtocol" . }}
{{- end }}
{{- if .sasl.enabled }}
COFFEE_RT_FLINK__KAFKA_PROPERTIES__SASL__MECHANISM: {{ .sasl.mechanism }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* A variable out of a secret: one that exists, or the one named secret. Nothing where the value is not set at all. */}}
{{- define "coffee-rt.secretVariable" -}}
{{- if .from.existingSecret }}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .from.existingSecret }}
      key: {{ .from.existingSecretKey }}
{{- else if or .from.url .from.value }}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .name }}
{{- end }}
{{- end -}}

{{/* All variables that are no plain settings. */}}
{{- define "coffee-rt.env" -}}
{{- $secret := include "coffee-rt.fullname" . -}}
{{- include "coffee-rt.secretVariable" (dict "name" "DATABASE_URL" "from" .Values.postgres "secret" $secret) }}
{{- include "coffee-rt.secretVariable" (dict "name" "REDIS_URL" "from" .Values.redis "secret" $secret) }}
{{- include "coffee-rt.secretVariable" (dict "name" "COFFEE_RT_ADMIN_TOKEN" "from" .Values.adminToken "secret" $secret) }}
{{- with .Values.kafka.sasl }}
{{- if and $.Values.kafka.bootstrapServers .enabled }}
- name: COFFEE_RT_KAFKA__CLIENT__SASL__USERNAME
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .usernameKey }}
- name: COFFEE_RT_KAFKA__CLIENT__SASL__PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .passwordKey }}
{{- end }}
{{- end }}
{{- with .Values.flink }}
{{- if .enabled }}
{{- include "coffee-rt.secretVariable" (dict "name" "COFFEE_RT_FLINK__DATABASE_URL" "from" .postgres "secret" $secret) }}
{{- if .jaasSecret }}
- name: COFFEE_RT_FLINK__KAFKA_PROPERTIES__SASL__JAAS__CONFIG
  valueFrom:
    secretKeyRef:
      name: {{ .jaasSecret }}
      key: {{ .jaasSecretKey }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What nodes and the load test get: settings and secrets. */}}
{{- define "coffee-rt.environment" -}}
envFrom:
  - configMapRef:
      name: {{ include "coffee-rt.fullname" . }}
{{- with include "coffee-rt.env" . | trim }}
env:
  {{- . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Every pod: no root, no token, and no variables for the services of the namespace. A service named coffee-rt would make
variables such as COFFEE_RT_SERVICE_HOST, which the program refuses as unknown settings. */}}
{{- define "coffee-rt.podBasics" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "coffee-rt.podSecurity" 10001 | nindent 2 }}
{{ include "coffee-rt.placement" . | trim }}
{{- end -}}

{{/* No root: takes the account's number, which is its group's, too. */}}
{{- define "coffee-rt.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* Where pods may run, and how their images are pulled. */}}
{{- define "coffee-rt.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "coffee-rt.containerBasics" -}}
image: {{ include "coffee-rt.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
  - name: tmp
    mountPath: /tmp
  - name: home
    mountPath: /var/lib/coffee-rt
  {{- if include "coffee-rt.kafkaCa" . }}
  - name: kafka-ca
    mountPath: /etc/coffee-rt/kafka
    readOnly: true
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "coffee-rt.kafkaCa" -}}
{{- if and .Values.kafka.bootstrapServers .Values.kafka.tls.enabled .Values.kafka.tls.caSecret -}}
true
{{- end -}}
{{- end -}}

{{/* Volumes of every pod but home. */}}
{{- define "coffee-rt.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: 256Mi
{{- if include "coffee-rt.kafkaCa" . }}
- name: kafka-ca
  secret:
    secretName: {{ .Values.kafka.tls.caSecret }}
    items:
      - key: {{ .Values.kafka.tls.caSecretKey }}
        path: ca.crt
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The working directory where nothing in it is to be kept. */}}
{{- define "coffee-rt.emptyHome" -}}
- name: home
  emptyDir:
    sizeLimit: 256Mi
{{- end -}}

{{/* The pod of a node, the same in Deployment and StatefulSet. */}}
{{- define "coffee-rt.podTemplate" -}}
{{- $labels := include "coffee-rt.selectorLabels" (dict "root" . "component" "node") -}}
metadata:
  labels:
    {{- $labels | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # Nodes read settings when they start. Secrets that exist elsewhere are not seen here: restart nodes when they change.
    checksum/config: {{ include (print $.Template.BasePath "/configmap.yaml") . | sha256sum }}
    checksum/secret: {{ include (print $.Template.BasePath "/secret.yaml") . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "coffee-rt.podBasics" . | nindent 2 }}
  serviceAccountName: {{ include "coffee-rt.serviceAccountName" . }}
  # No preStop hook: the node announces its leaving itself, and the image has no shell that could sleep.
  terminationGracePeriodSeconds: {{ include "coffee-rt.gracePeriod" . }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if and .Values.topologySpreadConstraints (not (include "coffee-rt.embedded" .)) }}
  topologySpreadConstraints:
    {{- range .Values.topologySpreadConstraints }}
    - topologyKey: {{ .topologyKey }}
      maxSkew: {{ int64 .maxSkew }}
      whenUnsatisfiable: {{ .whenUnsatisfiable }}
      labelSelector:
        matchLabels:
          {{- $labels | nindent 10 }}
      # Pods of the version that is being replaced do not count.
      matchLabelKeys: [pod-template-hash]
    {{- end }}
  {{- end }}
  containers:
    - name: node
      args: [serve]
      {{- include "coffee-rt.containerBasics" . | nindent 6 }}
      {{- include "coffee-rt.environment" . | nindent 6 }}
      ports:
        - name: http
          containerPort: 8005
      startupProbe:
        httpGet:
          path: /livez
          port: http
        {{- toYaml .Values.probes.startup | nindent 8 }}
      livenessProbe:
        httpGet:
          path: /livez
          port: http
        {{- toYaml .Values.probes.liveness | nindent 8 }}
      readinessProbe:
        httpGet:
          path: /readyz
          port: http
        {{- toYaml .Values.probes.readiness | nindent 8 }}
      {{- with .Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
  volumes:
    {{- include "coffee-rt.volumes" . | nindent 4 }}
    {{- if not (include "coffee-rt.embedded" .) }}
    {{- include "coffee-rt.emptyHome" . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* Settings of the session cluster, all of them texts. Takes flink.deployment. */}}
{{- define "coffee-rt.flinkConfiguration" -}}
{{- $slots := mul (int64 .taskManager.replicas) (int64 .taskManager.slots) | toString | quote -}}
taskmanager.numberOfTaskSlots: {{ int64 .taskManager.slots | quote }}
# So many TaskManagers from the beginning, and no more.
slotmanager.number-of-slots.min: {{ $slots }}
slotmanager.number-of-slots.max: {{ $slots }}
# A JobManager that is killed recovers its jobs itself.
high-availability.type: kubernetes
high-availability.storageDir: {{ .storage }}/recovery
execution.checkpointing.dir: {{ .storage }}/checkpoints
execution.checkpointing.savepoint-dir: {{ .storage }}/savepoints
state.backend.type: rocksdb
execution.checkpointing.incremental: "true"
execution.checkpointing.interval: 1s
execution.checkpointing.externalized-checkpoint-retention: RETAIN_ON_CANCELLATION
execution.checkpointing.num-retained: "2"
restart-strategy.type: exponential-delay
restart-strategy.exponential-delay.initial-backoff: 500ms
restart-strategy.exponential-delay.max-backoff: 5s
heartbeat.interval: "1000"
heartbeat.timeout: "5000"
web.submit.enable: "false"
{{- end -}}

{{/* What is the same for each container of Flink. Takes flink.deployment, with the container's own variables if it has any.
Its image writes what it is set to into a file of its own, so it may write. */}}
{{- define "coffee-rt.flinkContainer" -}}
securityContext:
  allowPrivilegeEscalation: false
  capabilities:
    drop: [ALL]
{{- $variables := .variables | default list }}
{{- with .plugins }}
{{- $variables = append $variables (dict "name" "ENABLE_BUILT_IN_PLUGINS" "value" (join ";" .)) }}
{{- end }}
{{- with concat $variables .extraEnv }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Refuses combinations that make no sense, before anything is made. */}}
{{- define "coffee-rt.validate" -}}
{{- $v := .Values -}}
{{- range $name, $section := dict "postgres" $v.postgres "redis" $v.redis "flink.postgres" $v.flink.postgres -}}
{{- if and $section.url $section.existingSecret -}}
{{- fail (printf "%s.url and %s.existingSecret are both set: choose one" $name $name) -}}
{{- end -}}
{{- end -}}
{{- if and $v.adminToken.value $v.adminToken.existingSecret -}}
{{- fail "adminToken.value and adminToken.existingSecret are both set: choose one" -}}
{{- end -}}
{{- /* The messages do not show URLs, which have passwords. */ -}}
{{- if and $v.postgres.url (not (regexMatch "^postgres(ql)?://" $v.postgres.url)) -}}
{{- fail "postgres.url must look like postgres://user:password@host:5432/database" -}}
{{- end -}}
{{- if and $v.flink.postgres.url (not (regexMatch "^postgres(ql)?://" $v.flink.postgres.url)) -}}
{{- fail "flink.postgres.url must look like postgres://user:password@host:5432/database" -}}
{{- end -}}
{{- if and $v.redis.url (not (regexMatch "^rediss?://" $v.redis.url)) -}}
{{- fail "redis.url must look like redis://user:password@host:6379/0" -}}
{{- end -}}
{{- include "coffee-rt.validateFlink" . -}}
{{- if include "coffee-rt.embedded" . -}}
{{- $needs := "needs PostgreSQL: set postgres.url or postgres.existingSecret" -}}
{{- if $v.autoscaling.enabled -}}
{{- fail (printf "autoscaling.enabled %s" $needs) -}}
{{- end -}}
{{- if gt (int64 $v.replicas) 1 -}}
{{- fail (printf "replicas is %d: more than one node %s" (int64 $v.replicas) $needs) -}}
{{- end -}}
{{- range $v.versions -}}
{{- if ne . "v1" -}}
{{- fail (printf "versions has %s, which %s" . $needs) -}}
{{- end -}}
{{- end -}}
{{- if $v.loadTest.enabled -}}
{{- fail (printf "loadTest.enabled %s; what is stored is recounted there" $needs) -}}
{{- end -}}
{{- end -}}
{{- if and (has "v2" $v.versions) (not (or $v.redis.url $v.redis.existingSecret)) -}}
{{- fail "versions has v2, which needs Redis: set redis.url or redis.existingSecret" -}}
{{- end -}}
{{- if and (has "v3" $v.versions) (not $v.kafka.bootstrapServers) -}}
{{- fail "versions has v3, which needs Kafka: set kafka.bootstrapServers" -}}
{{- end -}}
{{- if and $v.kafka.sasl.enabled (not $v.kafka.sasl.existingSecret) -}}
{{- fail "kafka.sasl.enabled needs kafka.sasl.existingSecret, a secret with user and password" -}}
{{- end -}}
{{- with $v.autoscaling -}}
{{- if .enabled -}}
{{- if gt (int64 .minReplicas) (int64 .maxReplicas) -}}
{{- fail (printf "autoscaling.minReplicas is %d, more than autoscaling.maxReplicas, %d" (int64 .minReplicas) (int64 .maxReplicas)) -}}
{{- end -}}
{{- if and (eq .metric "lag") (not (without $v.versions "v1")) -}}
{{- fail "autoscaling.metric is lag, which only v2 and v3 have: choose cpu for v1" -}}
{{- end -}}
{{- if and (eq .metric "lag") $v.flink.enabled (eq $v.flink.engine "flink") (not (has "v2" $v.versions)) -}}
{{- fail "autoscaling.metric is lag, but nodes do not store v3's orders with flink.engine flink: choose cpu" -}}
{{- end -}}
{{- if and (eq .metric "cpu") (not (dig "requests" "cpu" "" $v.resources)) -}}
{{- fail "autoscaling.metric is cpu, a share of what is requested: set resources.requests.cpu" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $seen := mul (int64 $v.probes.readiness.periodSeconds) (int64 $v.probes.readiness.failureThreshold) 1000 -}}
{{- if and (gt (int64 $v.leaveMs) 0) (gt $seen (int64 $v.leaveMs)) -}}
{{- fail (printf "leaveMs is %d, but probes.readiness sees a node leave after up to %d ms: raise leaveMs, or lower periodSeconds or failureThreshold" (int64 $v.leaveMs) $seen) -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.ingress.hosts) -}}
{{- fail "ingress.enabled needs a name in ingress.hosts" -}}
{{- end -}}
{{- if and $v.loadTest.enabled $v.loadTest.version (not (has $v.loadTest.version $v.versions)) -}}
{{- fail (printf "loadTest.version is %s, which is not in versions" $v.loadTest.version) -}}
{{- end -}}
{{- $own := include "coffee-rt.settings" . | fromYaml -}}
{{- range $name, $_ := $v.settings -}}
{{- if hasKey $own $name -}}
{{- fail (printf "settings.%s is set by the chart: use the value that it has for that" $name) -}}
{{- end -}}
{{- if regexMatch "(_URL|TOKEN|PASSWORD|SECRET)$" $name -}}
{{- fail (printf "settings.%s would be readable in a ConfigMap: use the values for secrets, or extraEnv with secretKeyRef" $name) -}}
{{- end -}}
{{- end -}}
{{- range $v.extraEnv -}}
{{- if or (hasKey $own .name) (has .name (list "DATABASE_URL" "REDIS_URL" "COFFEE_RT_ADMIN_TOKEN" "COFFEE_RT_KAFKA__CLIENT__SASL__USERNAME" "COFFEE_RT_KAFKA__CLIENT__SASL__PASSWORD" "COFFEE_RT_FLINK__DATABASE_URL" "COFFEE_RT_FLINK__KAFKA_PROPERTIES__SASL__JAAS__CONFIG")) -}}
{{- fail (printf "extraEnv has %s, which the chart sets: use the value that it has for that" .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "coffee-rt.validateFlink" -}}
{{- $v := .Values -}}
{{- with $v.flink -}}
{{- if and .deployment.enabled (not .enabled) -}}
{{- fail "flink.deployment.enabled needs flink.enabled" -}}
{{- end -}}
{{- if .enabled -}}
{{- if not (has "v3" $v.versions) -}}
{{- fail "flink.enabled needs v3 in versions: Flink stores the orders of no other" -}}
{{- end -}}
{{- if include "coffee-rt.embedded" $ -}}
{{- fail "flink.enabled needs PostgreSQL: set postgres.url or postgres.existingSecret" -}}
{{- end -}}
{{- if not $v.kafka.bootstrapServers -}}
{{- fail "flink.enabled needs Kafka: set kafka.bootstrapServers" -}}
{{- end -}}
{{- if and $v.kafka.sasl.enabled (not .jaasSecret) -}}
{{- fail "flink.enabled with kafka.sasl.enabled needs flink.jaasSecret: the job logs in by itself" -}}
{{- end -}}
{{- if not .deployment.enabled -}}
{{- if not (and .url .gatewayUrl) -}}
{{- fail "flink.enabled needs flink.url and flink.gatewayUrl, or flink.deployment.enabled" -}}
{{- end -}}
{{- else -}}
{{- if or .url .gatewayUrl -}}
{{- fail "flink.deployment.enabled makes a cluster, but flink.url or flink.gatewayUrl names another one: choose one" -}}
{{- end -}}
{{- if not .deployment.storage -}}
{{- fail "flink.deployment.enabled needs flink.deployment.storage, where checkpoints are kept" -}}
{{- end -}}
{{- $slots := mul (int64 .deployment.taskManager.replicas) (int64 .deployment.taskManager.slots) -}}
{{- if gt (int64 .parallelism) $slots -}}
{{- fail (printf "flink.parallelism is %d, more than the %d slots of flink.deployment.taskManager: raise replicas or slots" (int64 .parallelism) $slots) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
