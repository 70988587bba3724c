// A rejection: the verdict on a message that cannot become an event, and the reason people can count and repair.

/** Why a message was refused; each code is one rule of validation. `unstorable`: PostgreSQL refused the row. */
export const REJECTION_REASONS = [
  'empty_value',
  'not_utf8',
  'not_json',
  'not_an_object',
  'unknown_type',
  'missing_field',
  'wrong_field',
  'bad_uuid',
  'bad_timestamp',
  'too_far_in_future',
  'too_old',
  'number_out_of_range',
  'bad_text',
  'too_large',
  'unsupported_version',
  'unstorable',
] as const;
export type RejectionReason = (typeof REJECTION_REASONS)[number];

/** `field`: the JSON field at fault, if one is. `detail`: one sentence that says what was found there and what belongs there. */
export type Rejection = {
  readonly reason: RejectionReason;
  readonly field: string | null;
  readonly detail: string;
};
