{{- define "training.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
{{- end }}
