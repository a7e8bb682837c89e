package config

// Process says which settings a subcommand can't do without. What is set but
// not needed is checked all the same.
type Process uint8

const (
	needDatabase Process = 1 << iota
	needRedis
	needAuthSecret
	needEncryptionKey
	needPublicURL // in production; elsewhere it follows from HTTP_ADDR
	needAI
)

// The subcommands. Dev and demo make for themselves whatever is missing;
// doctor wants all there is, to say what is missing.
const (
	API               = needDatabase | needRedis | needAuthSecret | needEncryptionKey | needPublicURL
	Scheduler         = API
	Worker            = API | needAI
	Doctor            = Worker
	Jobs              = needDatabase | needRedis
	Keys              = needDatabase | needEncryptionKey
	Migrate           = needDatabase
	Users             = needDatabase
	Audit             = needDatabase
	Health            = needDatabase
	Dev       Process = 0
)

func (p Process) needs(n Process) bool { return p&n != 0 }

// require adds a problem for each setting that p needs and nobody set.
func (c *Config) require(p Process, found *problems) {
	for _, setting := range []struct {
		need        Process
		name, value string
	}{
		{needDatabase, "DATABASE_URL", c.DatabaseURL},
		{needRedis, "REDIS_URL", c.RedisURL},
		{needAuthSecret, "AUTH_SECRET", c.AuthSecret},
		{needEncryptionKey, "ENCRYPTION_KEY", c.EncryptionKey},
		{needAI, "OPENAI_API_KEY", c.AI.APIKey},
	} {
		if p.needs(setting.need) && setting.value == "" {
			found.add(setting.name, "is required")
		}
	}
	if p.needs(needPublicURL) && c.PublicURL == "" && c.Env == Production {
		found.add("PUBLIC_URL", "is required in production")
	}
}
