//go:build tools

// Package linter pins Grafana's dashboard-linter, so that Go builds it from source.
package linter

import _ "github.com/grafana/dashboard-linter"
