{{- /* `server:` from 0.94.2 on, with what is left of `zenml:`. */ -}}
{{- define "server" -}}
{{- mergeOverwrite (deepCopy (.Values.zenml | default dict)) (.Values.server | default dict) | toJson -}}
{{- end -}}
{{- define "image" -}}
{{- $server := include "server" . | fromJson -}}
{{ $server.image.repository }}:{{ $server.image.tag | default .Chart.Version }}
{{- end -}}
{{- define "labels" -}}
{app.kubernetes.io/name: zenml, app.kubernetes.io/instance: {{ .Release.Name }}}
{{- end -}}
