{{- define "nxc.name" -}}
{{ .Release.Name | trunc 53 | trimSuffix "-" }}
{{- end }}

{{- define "nxc.serviceAccount" -}}
{{ default (ternary (include "nxc.name" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{- define "nxc.selector" -}}
app.kubernetes.io/name: nxc-controller
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "nxc.labels" -}}
{{ include "nxc.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
