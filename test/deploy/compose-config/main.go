// What `docker compose config` does, without Docker: loads a compose file as Docker Compose itself does (schema, variables,
// merges, references between services), and prints what it amounts to as JSON. Usage: compose-config COMPOSE_FILE ENV_FILE
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(composeFile string, envFile string) error {
	options, err := cli.NewProjectOptions([]string{composeFile},
		cli.WithWorkingDirectory(filepath.Dir(composeFile)),
		cli.WithEnvFiles(envFile),
		cli.WithDotEnv,
		cli.WithProfiles([]string{"*"}),
	)
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	said, err := project.MarshalJSON()
	if err != nil {
		return err
	}
	fmt.Println(string(said))
	return nil
}
