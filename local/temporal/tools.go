//go:build tools

// Package temporal pins the Temporal CLI (server, Web UI and client in one program), so that Go builds it from source.
package temporal

import _ "github.com/temporalio/cli/cmd/temporal"
