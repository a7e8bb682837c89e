package fanfare

import "time"

// BrandKit is how a user's brand looks and sounds. At most one of a user's
// kits is active; its tone and values go into what is generated.
type BrandKit struct {
	ID             string    `json:"id" format:"uuid"`
	Name           string    `json:"name"`
	PrimaryColor   string    `json:"primaryColor"`
	SecondaryColor string    `json:"secondaryColor"`
	FontFamily     string    `json:"fontFamily"`
	Tone           string    `json:"tone"`
	Values         string    `json:"values"`
	LogoURL        *string   `json:"logoUrl"`
	IsActive       bool      `json:"isActive"`
	CreatedAt      time.Time `json:"createdAt"`
	UpdatedAt      time.Time `json:"updatedAt"`
}

// Voice is the part of a brand kit that a model needs.
type Voice struct {
	Tone   string `json:"tone"`
	Values string `json:"values"`
}
