package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"fanfare"
)

type brandStore interface {
	BrandKits(ctx context.Context, userID string, activeOnly bool, page fanfare.Page) ([]fanfare.BrandKit, error)
	BrandKitForUpdate(ctx context.Context, userID, id string) (fanfare.BrandKit, error)
	CreateBrandKit(ctx context.Context, userID string, kit fanfare.BrandKit) (fanfare.BrandKit, error)
	UpdateBrandKit(ctx context.Context, userID string, kit fanfare.BrandKit) (fanfare.BrandKit, error)
	DeleteBrandKit(ctx context.Context, userID, id string) error
}

// Cache keeps answers for a while.
type Cache interface {
	Fetch(ctx context.Context, key string, ttl time.Duration, load func(ctx context.Context) ([]byte, error)) (value []byte, hit bool, err error)
}

// brandLifetime is how long a list of kits is cached. It is never read after a
// change: the key carries the number of changes, which is read with the user.
const brandLifetime = time.Hour

type listBrandInput struct {
	PageInput
	Active bool `query:"active" doc:"Only the active one"`
}

type listBrandOutput struct {
	Link  string             `header:"Link" doc:"<…>; rel=\"next\" where there is a next page"`
	Cache string             `header:"X-Cache" enum:"HIT,MISS"`
	Body  []fanfare.BrandKit `nullable:"false"`
}

func (s *Server) listBrandKits(ctx context.Context, in *listBrandInput) (*listBrandOutput, error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	u := user(ctx)
	key := fmt.Sprintf("brand:%s:%d:%t:%d:%s", u.ID, u.BrandVersion, in.Active, in.Limit, in.Cursor)
	raw, hit, err := s.Cache.Fetch(ctx, key, brandLifetime, func(ctx context.Context) ([]byte, error) {
		kits, err := s.Store.BrandKits(ctx, u.ID, in.Active, page)
		if err != nil {
			return nil, err
		}
		return json.Marshal(kits)
	})
	if err != nil {
		return nil, err
	}
	var kits []fanfare.BrandKit
	if err := json.Unmarshal(raw, &kits); err != nil {
		return nil, fmt.Errorf("decoding cached brand kits: %w", err)
	}
	filters := url.Values{}
	if in.Active {
		filters.Set("active", "true")
	}
	list := listed(in.PageInput, "/api/brand", filters, kits, func(k fanfare.BrandKit) fanfare.Position {
		return fanfare.Position{CreatedAt: k.CreatedAt, ID: k.ID}
	})
	out := &listBrandOutput{Link: list.Link, Cache: "MISS", Body: list.Body}
	if hit {
		out.Cache = "HIT"
	}
	return out, nil
}

// brandKitEdit is what a user may say of a kit.
type brandKitEdit struct {
	Name           string  `json:"name" doc:"1 to 100 characters"`
	PrimaryColor   string  `json:"primaryColor" doc:"#rrggbb" example:"#1a2b3c"`
	SecondaryColor string  `json:"secondaryColor" doc:"#rrggbb" example:"#ffffff"`
	FontFamily     string  `json:"fontFamily" doc:"1 to 100 characters"`
	Tone           string  `json:"tone" doc:"How the brand speaks; 1 to 500 characters"`
	Values         string  `json:"values" doc:"What it stands for; up to 5,000 characters"`
	LogoURL        *string `json:"logoUrl,omitempty" doc:"An http or https URL, or null"`
	IsActive       *bool   `json:"isActive,omitempty" doc:"true makes it the only active one; a new kit always is"`
}

type createBrandInput struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Up to 255 characters"`
	Body           brandKitEdit
}

type createdOutput struct {
	Status int
	Body   any
}

func (s *Server) createBrandKit(ctx context.Context, in *createBrandInput) (*createdOutput, error) {
	kit := fanfare.BrandKit{}
	if err := s.applyBrand(&kit, in.Body); err != nil {
		return nil, err
	}
	answer, err := s.once(ctx, func(ctx context.Context) (created, error) {
		kit, err := s.Store.CreateBrandKit(ctx, user(ctx).ID, kit)
		if err != nil {
			return created{}, err
		}
		return created{status: http.StatusCreated, body: kit},
			s.Store.Audit(ctx, audited(ctx, fanfare.ActionBrandCreate, kit.ID, nil))
	})
	if err != nil {
		return nil, err
	}
	return &createdOutput{Status: answer.status, Body: answer.body}, nil
}

type patchBrandInput struct {
	IDInput
	RawBody []byte
}

type patchBrandQueryInput struct {
	IDQueryInput
	RawBody []byte
}

type brandOutput struct{ Body fanfare.BrandKit }

func (s *Server) patchBrandKitByQuery(ctx context.Context, in *patchBrandQueryInput) (*brandOutput, error) {
	return s.patchBrandKit(ctx, &patchBrandInput{IDInput: IDInput(in.IDQueryInput), RawBody: in.RawBody})
}

func (s *Server) patchBrandKit(ctx context.Context, in *patchBrandInput) (*brandOutput, error) {
	out := &brandOutput{}
	err := s.Store.Atomic(ctx, func(ctx context.Context) error {
		kit, err := s.Store.BrandKitForUpdate(ctx, user(ctx).ID, in.ID)
		if err != nil {
			return err
		}
		edit := brandKitEdit{
			Name: kit.Name, PrimaryColor: kit.PrimaryColor, SecondaryColor: kit.SecondaryColor, FontFamily: kit.FontFamily,
			Tone: kit.Tone, Values: kit.Values, LogoURL: kit.LogoURL, IsActive: &kit.IsActive,
		}
		if edit, err = merge(edit, in.RawBody); err != nil {
			return err
		}
		if err := s.applyBrand(&kit, edit); err != nil {
			return err
		}
		if out.Body, err = s.Store.UpdateBrandKit(ctx, user(ctx).ID, kit); err != nil {
			return err
		}
		return s.Store.Audit(ctx, audited(ctx, fanfare.ActionBrandUpdate, in.ID, nil))
	})
	return out, err
}

func (s *Server) deleteBrandKitByQuery(ctx context.Context, in *IDQueryInput) (*struct{}, error) {
	return s.deleteBrandKit(ctx, &IDInput{ID: in.ID})
}

func (s *Server) deleteBrandKit(ctx context.Context, in *IDInput) (*struct{}, error) {
	return nil, s.Store.Atomic(ctx, func(ctx context.Context) error {
		if err := s.Store.DeleteBrandKit(ctx, user(ctx).ID, in.ID); err != nil {
			return err
		}
		return s.Store.Audit(ctx, audited(ctx, fanfare.ActionBrandDelete, in.ID, nil))
	})
}

var hexColor = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

// applyBrand checks what a user says of a kit, and cleans what a model will
// read of it.
func (s *Server) applyBrand(kit *fanfare.BrandKit, edit brandKitEdit) (err error) {
	if kit.Name, err = label("name", edit.Name, 1); err != nil {
		return err
	}
	if kit.FontFamily, err = label("fontFamily", edit.FontFamily, 1); err != nil {
		return err
	}
	for _, c := range [][2]string{{"primaryColor", edit.PrimaryColor}, {"secondaryColor", edit.SecondaryColor}} {
		if !hexColor.MatchString(c[1]) {
			return fanfare.Invalid(c[0], "must be a colour such as #1a2b3c")
		}
	}
	if edit.LogoURL != nil && !isHTTPURL(*edit.LogoURL) {
		return fanfare.Invalid("logoUrl", "must be an http or https URL of at most 2,000 characters, or null")
	}
	if kit.Tone, err = s.Cleaner.CleanText("tone", edit.Tone, 500); err != nil {
		return err
	}
	if kit.Values = strings.TrimSpace(edit.Values); kit.Values != "" {
		if kit.Values, err = s.Cleaner.CleanText("values", edit.Values, 5000); err != nil {
			return err
		}
	}
	kit.LogoURL = edit.LogoURL
	kit.PrimaryColor, kit.SecondaryColor = edit.PrimaryColor, edit.SecondaryColor
	kit.IsActive = edit.IsActive != nil && *edit.IsActive
	return nil
}

func isHTTPURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && len(s) <= 2000
}
