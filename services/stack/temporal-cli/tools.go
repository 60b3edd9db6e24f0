//go:build tools

// Package tools pins the Temporal CLI as a dependency of this module.
package tools

import _ "github.com/temporalio/cli/cmd/temporal"
