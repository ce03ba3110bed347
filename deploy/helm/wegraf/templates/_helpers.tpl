{{- define "wegraf.labels" -}}
app.kubernetes.io/name: wegraf
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "wegraf.sqlite" -}}
{{- if and (eq .Values.database.kind "sqlite") (gt (int .Values.replicas) 1) }}
{{- fail "SQLite is one file for one process: set replicas to 1, or database.kind to postgres" }}
{{- end }}
{{- eq .Values.database.kind "sqlite" }}
{{- end }}

{{- define "wegraf.pod" -}}
metadata:
  labels: {{- include "wegraf.labels" . | nindent 4 }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: 40
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile: { type: RuntimeDefault }
  dnsConfig: { options: [{ name: ndots, value: "2" }] }
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector: { matchLabels: {{ include "wegraf.labels" . | fromYaml | toJson }} }
  containers:
    - name: wegraf
      image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      ports: [{ name: http, containerPort: 8080 }]
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
      resources: {{- toYaml .Values.resources | nindent 8 }}
      startupProbe: { httpGet: { path: /readyz, port: http }, periodSeconds: 2, failureThreshold: 60 }
      readinessProbe: { httpGet: { path: /readyz, port: http }, periodSeconds: 5, timeoutSeconds: 3 }
      livenessProbe: { httpGet: { path: /healthz, port: http }, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 }
      volumeMounts:
        - { name: config, mountPath: /etc/wegraf, readOnly: true }
        - { name: secrets, mountPath: /run/secrets/wegraf, readOnly: true }
        {{- if eq (include "wegraf.sqlite" .) "true" }}
        - { name: data, mountPath: /data }
        {{- end }}
  volumes:
    - name: config
      configMap: { name: {{ .Release.Name }} }
    - name: secrets
      secret: { secretName: {{ .Values.secret }}, defaultMode: 0440 }
{{- end }}
