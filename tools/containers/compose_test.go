package containers

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
)

func TestMigrateEndsBeforeTheRestStarts(t *testing.T) {
	p := project(t)
	for _, name := range []string{"api", "worker", "scheduler", "backup"} {
		if got := p.Services[name].DependsOn["migrate"].Condition; got != types.ServiceConditionCompletedSuccessfully {
			t.Errorf("%s waits for migrate to be %q", name, got)
		}
	}
	for _, name := range []string{"api", "worker", "scheduler"} {
		for _, server := range []string{"postgres", "redis"} {
			if got := p.Services[name].DependsOn[server].Condition; got != types.ServiceConditionHealthy {
				t.Errorf("%s waits for %s to be %q", name, server, got)
			}
		}
	}
	migrate := p.Services["migrate"]
	if got := migrate.DependsOn["postgres"].Condition; got != types.ServiceConditionHealthy {
		t.Errorf("migrate waits for postgres to be %q", got)
	}
	if migrate.Restart != types.RestartPolicyNo {
		t.Errorf("migrate restarts: %q", migrate.Restart)
	}
}

func TestOurServicesRunTheProgram(t *testing.T) {
	p := project(t)
	for name, command := range ours() {
		service := p.Services[name]
		if name != "api" && !slices.Equal(service.Command, command) {
			t.Errorf("%s runs %q, want %q", name, service.Command, command)
		}
		dockerfile := "Dockerfile.worker"
		if name == "api" {
			dockerfile = "Dockerfile.api"
		}
		if service.Build == nil || service.Build.Dockerfile != dockerfile || service.Build.Args["VERSION"] == nil {
			t.Errorf("%s is not built of %s with a version", name, dockerfile)
		}
	}
}

func TestOnlyTheAPIIsPublished(t *testing.T) {
	p := project(t)
	for name, service := range p.Services {
		switch {
		case name == "api":
			if len(service.Ports) != 1 || service.Ports[0].HostIP != "127.0.0.1" || service.Ports[0].Target != 8080 {
				t.Errorf("the API is published as %+v, want on the loopback", service.Ports)
			}
		case name == "caddy" && slices.Equal(service.Profiles, []string{"tls"}): // the proxy before it, if asked for
		case name == "prometheus" && slices.Equal(service.Profiles, []string{"monitoring"}): // likewise, for this machine alone
			if len(service.Ports) != 1 || service.Ports[0].HostIP != "127.0.0.1" {
				t.Errorf("Prometheus is published as %+v, want on the loopback", service.Ports)
			}
		case len(service.Ports) > 0:
			t.Errorf("%s publishes %+v", name, service.Ports)
		}
		if service.NetworkMode != "" {
			t.Errorf("%s has the network mode %q", name, service.NetworkMode)
		}
	}
	if !p.Networks["data"].Internal {
		t.Error("the servers' network leads outside")
	}
	for _, name := range []string{"postgres", "redis", "migrate", "backup"} {
		if got := sortedKeys(p.Services[name].Networks); !slices.Equal(got, []string{"data"}) {
			t.Errorf("%s is in the networks %v", name, got)
		}
	}
	subnet := p.Networks["edge"].Ipam.Config[0].Subnet
	if got := *p.Services["api"].Environment["TRUSTED_PROXIES"]; got != subnet {
		t.Errorf("the API trusts %s, its proxies are in %s", got, subnet)
	}
}

func TestEveryServiceIsWatchedAndLimited(t *testing.T) {
	for name, service := range project(t).Services {
		if name == "migrate" {
			if service.HealthCheck == nil || !service.HealthCheck.Disable {
				t.Error("migrate ends: it has no health to check")
			}
		} else if h := service.HealthCheck; h == nil || h.Disable || len(h.Test) < 2 || h.Interval == nil || h.Timeout == nil || h.Retries == nil || h.StartPeriod == nil {
			t.Errorf("%s has no whole health check", name)
		}
		if service.Deploy == nil || service.Deploy.Resources.Limits == nil {
			t.Errorf("%s has no limits", name)
			continue
		}
		if l := service.Deploy.Resources.Limits; l.MemoryBytes <= 0 || l.NanoCPUs <= 0 || l.Pids <= 0 {
			t.Errorf("%s lacks a limit: %+v", name, l)
		}
		if service.Logging == nil || service.Logging.Options["max-size"] == "" || service.Logging.Options["max-file"] == "" {
			t.Errorf("%s's log grows without a limit", name)
		}
		if name != "migrate" && service.Restart != types.RestartPolicyUnlessStopped {
			t.Errorf("%s restarts: %q", name, service.Restart)
		}
		if service.ContainerName != "" {
			t.Errorf("%s can't be scaled: it is called %s", name, service.ContainerName)
		}
	}
}

func TestEveryServiceIsHardened(t *testing.T) {
	for name, service := range project(t).Services {
		if !service.ReadOnly || !slices.Contains(service.Tmpfs, "/tmp") {
			t.Errorf("%s: read-only %t, tmpfs %v", name, service.ReadOnly, service.Tmpfs)
		}
		if !slices.Equal(service.CapDrop, []string{"ALL"}) || service.Privileged {
			t.Errorf("%s drops %v", name, service.CapDrop)
		}
		if name != "caddy" && len(service.CapAdd) > 0 {
			t.Errorf("%s adds %v", name, service.CapAdd)
		}
		if !slices.Contains(service.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s may gain privileges: %v", name, service.SecurityOpt)
		}
		if service.Init == nil || !*service.Init {
			t.Errorf("%s has nobody to reap its children", name)
		}
		user, _, _ := strings.Cut(service.User, ":")
		if service.Build == nil && name != "caddy" && !isNumericUser(user) {
			t.Errorf("%s runs as %q", name, service.User)
		}
		for _, volume := range service.Volumes {
			if volume.Type == types.VolumeTypeBind && !volume.ReadOnly {
				t.Errorf("%s writes to %s of the machine", name, volume.Source)
			}
			if strings.Contains(volume.Source, "docker.sock") {
				t.Errorf("%s is handed Docker", name)
			}
			if volume.Type == types.VolumeTypeBind {
				if _, err := os.Stat(volume.Source); err != nil {
					t.Errorf("%s mounts what is not there: %v", name, err)
				}
			}
		}
	}
}

func isNumericUser(user string) bool {
	return regexp.MustCompile(`^[1-9][0-9]*$`).MatchString(user)
}

func TestStopGraceIsLongerThanShutdown(t *testing.T) {
	asserted := func(env map[string]string, shutdown string) {
		t.Helper()
		p, err := load(t, env)
		if err != nil {
			t.Fatal(err)
		}
		limit, err := time.ParseDuration(shutdown)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"api", "worker", "scheduler", "caddy"} {
			if grace := p.Services[name].StopGracePeriod; grace == nil || time.Duration(*grace) < limit+10*time.Second {
				t.Errorf("%s is killed after %v, and may take %s", name, grace, limit)
			}
		}
	}
	env := environment(t, filled())
	asserted(env, env["SHUTDOWN_TIMEOUT"])
	delete(env, "SHUTDOWN_TIMEOUT")
	delete(env, "STOP_GRACE_PERIOD")
	asserted(env, "30s") // the program's default
}

func TestServersAreTunedAndKeepTheirData(t *testing.T) {
	p := project(t)
	postgres := strings.Join(p.Services["postgres"].Command, " ")
	for _, want := range []string{"max_connections=100", "shared_buffers=256MB", "effective_cache_size=1GB"} {
		if !strings.Contains(postgres, want) {
			t.Errorf("PostgreSQL runs without %s: %s", want, postgres)
		}
	}
	if strings.Contains(postgres, "synchronous_commit") || strings.Contains(postgres, "fsync") {
		t.Errorf("PostgreSQL may lose what was promised: %s", postgres)
	}
	if test := p.Services["postgres"].HealthCheck.Test; !slices.Contains(test, "pg_isready") {
		t.Errorf("PostgreSQL's health: %v", test)
	}
	redis := p.Services["redis"]
	for _, want := range []string{"appendonly yes", "appendfsync everysec", "maxmemory-policy noeviction", "maxmemory ", "requirepass $REDISCLI_AUTH"} {
		if !strings.Contains(strings.Join(redis.Command, " "), want) {
			t.Errorf("Redis runs without %s: %s", want, redis.Command)
		}
	}
	for name, target := range map[string]string{"postgres": "/var/lib/postgresql/data", "redis": "/data", "backup": "/var/lib/postgresql/data"} {
		volumes := p.Services[name].Volumes
		if len(volumes) == 0 || volumes[0].Type != types.VolumeTypeVolume || volumes[0].Target != target {
			t.Errorf("%s keeps nothing in %s: %+v", name, target, volumes)
		}
	}
	if p.Services["backup"].Volumes[0].Source == p.Services["postgres"].Volumes[0].Source {
		t.Error("backups lie in the database's own folder")
	}
}

func TestBackupsAreDailyAndRotate(t *testing.T) {
	p := project(t)
	backup := p.Services["backup"]
	if backup.Image != p.Services["postgres"].Image {
		t.Errorf("backups are made by %s of %s", backup.Image, p.Services["postgres"].Image)
	}
	command := strings.Join(backup.Command, " ")
	if command != "sh /scripts/backup --every 03:00 /var/lib/postgresql/data" {
		t.Errorf("backups: %s", command)
	}
	for name, want := range map[string]string{"KEEP_DAYS": "7", "KEEP_WEEKS": "4", "KEEP_MONTHS": "6"} {
		if got := backup.Environment[name]; got == nil || *got != want {
			t.Errorf("%s = %v, want %s", name, got, want)
		}
	}
	script, err := os.Stat(filepath.Join(root, "scripts/backup"))
	if err != nil || script.Mode()&0o111 == 0 {
		t.Errorf("scripts/backup: %v", err)
	}
}

// pinned is a name with an exact version, and perhaps a digest.
var pinned = regexp.MustCompile(`^[a-z0-9./-]+:v?[0-9]+\.[0-9]+(\.[0-9]+)?(-[a-z0-9.]+)?(@sha256:[0-9a-f]{64})?$`)

func TestImagesArePinned(t *testing.T) {
	for name, service := range project(t).Services {
		if service.Build == nil && !pinned.MatchString(service.Image) {
			t.Errorf("%s runs %q", name, service.Image)
		}
		if service.Build != nil && strings.HasSuffix(service.Image, ":latest") || !strings.Contains(service.Image, ":") {
			t.Errorf("%s becomes %q", name, service.Image)
		}
	}
}

// TestEachSettingReachesThoseWhoNeedIt, and no secret anybody else.
func TestEachSettingReachesThoseWhoNeedIt(t *testing.T) {
	all := []string{"api", "scheduler", "worker"}
	needs := map[string][]string{
		"APP_ENV": {"api", "migrate", "scheduler", "worker"}, "DATABASE_URL": {"api", "migrate", "scheduler", "worker"},
		"PUBLIC_URL": {"api", "caddy", "scheduler", "worker"}, "REDIS_URL": all, "AUTH_SECRET": all, "ENCRYPTION_KEY": all,
		"ENCRYPTION_KEYS_OLD": all, "SENTRY_DSN": all, "SHUTDOWN_TIMEOUT": all, "METRICS_ADDR": all, "OTEL_EXPORTER_OTLP_ENDPOINT": all,
		"HTTP_ADDR": {"api"}, "ALLOWED_ORIGINS": {"api"}, "TRUSTED_PROXIES": {"api"},
		"RATE_LIMIT_API": {"api"}, "RATE_LIMIT_AI": {"api"}, "RATE_LIMIT_AUTH": {"api"}, "RATE_LIMIT_POLL": {"api"},
		"ALLOW_PRIVATE_HOSTS": {"api", "worker"}, "OPENAI_API_KEY": {"api", "worker"}, "OPENAI_BASE_URL": {"api", "worker"},
		"OPENAI_MODEL": {"worker"}, "OPENAI_PRICE_INPUT": {"worker"}, "OPENAI_PRICE_OUTPUT": {"worker"},
		"AI_TIMEOUT": {"worker"}, "JOB_TIMEOUT": {"worker"}, "WORKER_CONCURRENCY": {"worker"},
		"RETENTION_JOBS": {"scheduler"}, "RETENTION_AUDIT": {"scheduler"},
		"KEEP_DAYS": {"backup"}, "KEEP_WEEKS": {"backup"}, "KEEP_MONTHS": {"backup"}, "POSTGRES_PASSWORD": {"postgres"},
	}
	// What compose uses itself, or hands on under another name.
	elsewhere := []string{"REDIS_PASSWORD", "STOP_GRACE_PERIOD", "VERSION", "PUBLISH", "EDGE_SUBNET", "BACKUP_AT"}
	env := environment(t, filled())
	for name, value := range env { // so that a setting that is not handed on shows
		if value == "" {
			env[name] = "set-" + strings.ToLower(name)
		}
	}
	p, err := load(t, env)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range env {
		var got []string
		for service, s := range p.Services {
			if handed := s.Environment[name]; handed != nil && *handed == value {
				got = append(got, service)
			} else if handed != nil {
				t.Errorf("%s has %s = %q, want %q", service, name, *handed, value)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, needs[name]) {
			t.Errorf("%s reaches %v, want %v", name, got, needs[name])
		}
		if needs[name] == nil && !slices.Contains(elsewhere, name) {
			t.Errorf("nobody needs %s", name)
		}
		if !regexp.MustCompile(`\$\{` + name + `\b`).MatchString(text(t, "docker-compose.prod.yml")) {
			t.Errorf("docker-compose.prod.yml does not use %s", name)
		}
	}
	for name := range needs {
		if _, there := env[name]; !there {
			t.Errorf("the example has no %s", name)
		}
	}
}

// TestWhatIsRequiredIsAskedFor before anything starts.
func TestWhatIsRequiredIsAskedFor(t *testing.T) {
	for name := range filled() {
		values := filled()
		delete(values, name)
		env := environment(t, values)
		if _, err := load(t, env); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s compose says: %v", name, err)
		}
	}
}

func TestNoSecretIsWrittenDown(t *testing.T) {
	secret := regexp.MustCompile(`(?i)(sk-[a-z0-9]{8}|[0-9a-f]{32}|(password|secret|key|auth)[a-z_]*: *[a-z0-9"']{6})`)
	for line := range strings.Lines(text(t, "docker-compose.prod.yml")) {
		code, _, _ := strings.Cut(line, " # ")
		code = regexp.MustCompile(`@sha256:[0-9a-f]{64}`).ReplaceAllString(code, "")
		if found := secret.FindString(code); found != "" {
			t.Errorf("this looks like a secret: %s", strings.TrimSpace(line))
		}
	}
	env := environment(t, nil)
	for _, name := range []string{"POSTGRES_PASSWORD", "REDIS_PASSWORD", "AUTH_SECRET", "ENCRYPTION_KEY", "OPENAI_API_KEY", "SENTRY_DSN"} {
		if env[name] != "" {
			t.Errorf("the example has a value for %s", name)
		}
	}
}
