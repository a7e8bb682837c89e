package store

import (
	"context"
	"time"

	"fanfare"
)

type brandKitRow struct {
	ID             string    `db:"id"`
	Name           string    `db:"name"`
	PrimaryColor   string    `db:"primary_color"`
	SecondaryColor string    `db:"secondary_color"`
	FontFamily     string    `db:"font_family"`
	Tone           string    `db:"tone"`
	Values         string    `db:"values"`
	LogoURL        *string   `db:"logo_url"`
	IsActive       bool      `db:"is_active"`
	CreatedAt      time.Time `db:"created_at"`
	UpdatedAt      time.Time `db:"updated_at"`
}

const brandKitColumns = `id, name, primary_color, secondary_color, font_family, tone, "values", logo_url, is_active,
	created_at, updated_at`

func (r brandKitRow) kit() fanfare.BrandKit {
	kit := fanfare.BrandKit(r)
	kit.CreatedAt, kit.UpdatedAt = kit.CreatedAt.UTC(), kit.UpdatedAt.UTC()
	return kit
}

// BrandKits lists a user's brand kits, newest first: all, or the active one.
func (s *Store) BrandKits(ctx context.Context, userID string, activeOnly bool, page fanfare.Page) ([]fanfare.BrandKit, error) {
	createdAt, id := before(page)
	var rows []brandKitRow
	err := s.q(ctx).SelectContext(ctx, &rows, `SELECT `+brandKitColumns+` FROM brand_kits
		WHERE user_id = $1 AND (is_active OR NOT $2)
			AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::uuid))
		ORDER BY created_at DESC, id DESC LIMIT $5`, userID, activeOnly, createdAt, id, page.Limit)
	if err != nil {
		return nil, wrap(err, "listing brand kits")
	}
	kits := make([]fanfare.BrandKit, len(rows))
	for i, row := range rows {
		kits[i] = row.kit()
	}
	return kits, nil
}

// BrandKitForUpdate returns a user's brand kit. Until the transaction ends no
// other changes any of that user's kits.
func (s *Store) BrandKitForUpdate(ctx context.Context, userID, id string) (fanfare.BrandKit, error) {
	if err := s.changeBrand(ctx, userID); err != nil {
		return fanfare.BrandKit{}, err
	}
	var row brandKitRow
	err := s.q(ctx).GetContext(ctx, &row,
		`SELECT `+brandKitColumns+` FROM brand_kits WHERE id = $1 AND user_id = $2`, id, userID)
	return row.kit(), wrap(err, "reading a brand kit")
}

// changeBrand counts a change of a user's kits, which makes what is cached of
// them unreachable, and holds off others who want to change them.
func (s *Store) changeBrand(ctx context.Context, userID string) error {
	_, err := s.q(ctx).ExecContext(ctx, `UPDATE users SET brand_version = brand_version + 1 WHERE id = $1`, userID)
	return wrap(err, "counting a change of brand kits")
}

// CreateBrandKit stores a new kit, from now on the user's only active one.
func (s *Store) CreateBrandKit(ctx context.Context, userID string, kit fanfare.BrandKit) (fanfare.BrandKit, error) {
	var row brandKitRow
	err := s.Atomic(ctx, func(ctx context.Context) error {
		if err := s.changeBrand(ctx, userID); err != nil {
			return err
		}
		if err := s.deactivate(ctx, userID); err != nil {
			return err
		}
		err := s.q(ctx).GetContext(ctx, &row, `INSERT INTO brand_kits
			(id, user_id, name, primary_color, secondary_color, font_family, tone, "values", logo_url, is_active)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, true) RETURNING `+brandKitColumns,
			NewID(), userID, kit.Name, kit.PrimaryColor, kit.SecondaryColor, kit.FontFamily, kit.Tone, kit.Values, kit.LogoURL)
		return wrap(err, "creating a brand kit")
	})
	return row.kit(), err
}

// UpdateBrandKit stores a kit that BrandKitForUpdate returned, with its
// changes. One that is made active becomes the only one.
func (s *Store) UpdateBrandKit(ctx context.Context, userID string, kit fanfare.BrandKit) (fanfare.BrandKit, error) {
	if kit.IsActive {
		if err := s.deactivate(ctx, userID); err != nil {
			return fanfare.BrandKit{}, err
		}
	}
	var row brandKitRow
	err := s.q(ctx).GetContext(ctx, &row, `UPDATE brand_kits SET name = $3, primary_color = $4, secondary_color = $5,
			font_family = $6, tone = $7, "values" = $8, logo_url = $9, is_active = $10, updated_at = now()
		WHERE id = $1 AND user_id = $2 RETURNING `+brandKitColumns,
		kit.ID, userID, kit.Name, kit.PrimaryColor, kit.SecondaryColor, kit.FontFamily, kit.Tone, kit.Values, kit.LogoURL, kit.IsActive)
	return row.kit(), wrap(err, "changing a brand kit")
}

func (s *Store) deactivate(ctx context.Context, userID string) error {
	_, err := s.q(ctx).ExecContext(ctx,
		`UPDATE brand_kits SET is_active = false, updated_at = now() WHERE user_id = $1 AND is_active`, userID)
	return wrap(err, "deactivating brand kits")
}

// DeleteBrandKit deletes a user's brand kit.
func (s *Store) DeleteBrandKit(ctx context.Context, userID, id string) error {
	return s.Atomic(ctx, func(ctx context.Context) error {
		if err := s.changeBrand(ctx, userID); err != nil {
			return err
		}
		result, err := s.q(ctx).ExecContext(ctx, `DELETE FROM brand_kits WHERE id = $1 AND user_id = $2`, id, userID)
		if err != nil {
			return wrap(err, "deleting a brand kit")
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return notFound()
		}
		return nil
	})
}
