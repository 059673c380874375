{{- define "qnt9.labels" -}}
app.kubernetes.io/name: qnt9
app.kubernetes.io/instance: {{ .release }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{- /* What each container of the image has: no root, no writable file but /tmp, no capability. */}}
{{- define "qnt9.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "qnt9.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "qnt9.environment" -}}
- {name: QNT9_ENVIRONMENT, value: {{ .values.environment }}}
- {name: QNT9_LOG_LEVEL, value: {{ .values.logLevel }}}
{{- if has "kafka_password" .secrets }}
- {name: QNT9_KAFKA_BOOTSTRAP, value: {{ .values.kafka.bootstrap | quote }}}
- {name: QNT9_KAFKA_PROTOCOL, value: {{ .values.kafka.protocol }}}
- {name: QNT9_KAFKA_MECHANISM, value: {{ .values.kafka.mechanism }}}
- {name: QNT9_KAFKA_USERNAME, value: {{ .username }}}
- {name: QNT9_KAFKA_CA_FILE, value: /etc/qnt9/ca/kafka.pem}
{{- end }}
{{- if has "redis_url" .secrets }}
- {name: QNT9_REDIS_CA_FILE, value: /etc/qnt9/ca/redis.pem}
{{- end }}
{{- range .secrets }}
- {name: QNT9_{{ . | upper }}_FILE, value: /run/secrets/{{ . }}}
{{- end }}
{{- range $name, $value := .settings }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{- define "qnt9.mounts" -}}
{{- if .secrets }}
- {name: secrets, mountPath: /run/secrets, readOnly: true}
{{- end }}
- {name: authorities, mountPath: /etc/qnt9/ca, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- end }}

{{- define "qnt9.volumes" -}}
{{- if .secrets }}
- name: secrets
  secret:
    secretName: {{ .values.secretPrefix }}-{{ .role }}
    defaultMode: 0440
    items:
{{- range .secrets }}
      - {key: {{ . }}, path: {{ . }}}
{{- end }}
{{- end }}
- name: authorities
  configMap: {name: {{ .values.authorities }}}
- name: tmp
  emptyDir: {medium: Memory, sizeLimit: 16Mi}
{{- end }}
