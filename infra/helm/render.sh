#!/bin/sh
# Render the chart for each stage. kubernetes-validate knows no custom resources, so KEDA's are in files of their own.
# Usage: infra/helm/render.sh TARGET_FOLDER
set -eu
chart=$(dirname "$0")/qnt9
for stage in dev staging production; do
  mkdir -p "$1/$stage"
  render() { helm template qnt9 "$chart" --namespace qnt9 --kube-version 1.34.0 --values "$chart/values-$stage.yaml" "$@"; }
  render --set keda.enabled=false > "$1/$stage/qnt9.yaml"
  render --show-only templates/keda.yaml > "$1/$stage/keda.yaml" 2>/dev/null || echo '# One pod of each role.' > "$1/$stage/keda.yaml"
done
