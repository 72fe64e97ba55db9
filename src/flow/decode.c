/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/merge.h"

#include "base/own.h"

#include <brotli/decode.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>

enum { WINDOW_LOG_MAX = 23 /* 8 MiB: what browsers take (RFC 9659) */ };

/* 15: the largest window; with 32, what is of gzip or zlib tells that itself; below 0: neither. */
static bool inflate_all(int window, const void *bytes, size_t len, char *out, size_t *out_len)
{
	z_stream stream = { .next_in = (Bytef *)(uintptr_t)bytes,
			    .avail_in = (uInt)len,
			    .next_out = (Bytef *)out,
			    .avail_out = (uInt)*out_len };
	int r;

	if (inflateInit2(&stream, window) != Z_OK)
		return false;
	r = inflate(&stream, Z_SYNC_FLUSH);
	inflateEnd(&stream);
	*out_len = stream.total_out;
	return r == Z_STREAM_END || (r == Z_OK && stream.avail_out == 0);
}

static bool brotli_all(const void *bytes, size_t len, char *out, size_t *out_len)
{
	BrotliDecoderState *state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
	const uint8_t *next_in = bytes;
	uint8_t *next_out = (uint8_t *)out;
	size_t left = *out_len;
	BrotliDecoderResult r;

	if (!state)
		return false;
	r = BrotliDecoderDecompressStream(state, &len, &next_in, &left, &next_out, NULL);
	BrotliDecoderDestroyInstance(state);
	*out_len -= left;
	return r == BROTLI_DECODER_RESULT_SUCCESS || r == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
}

static bool zstd_all(const void *bytes, size_t len, char *out, size_t *out_len)
{
	ZSTD_DCtx *context = ZSTD_createDCtx();
	ZSTD_inBuffer in = { bytes, len, 0 };
	ZSTD_outBuffer to = { out, *out_len, 0 };
	size_t r = 1;

	if (!context)
		return false;
	ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
	while (in.pos < in.size && to.pos < to.size && !ZSTD_isError(r))
		r = ZSTD_decompressStream(context, &to, &in);
	ZSTD_freeDCtx(context);
	*out_len = to.pos;
	return !ZSTD_isError(r) && (r == 0 || to.pos == to.size);
}

static bool decode(const char *coding, const void *bytes, size_t len, char *out, size_t *out_len)
{
	size_t max = *out_len;

	if (strcasecmp(coding, "gzip") == 0 || strcasecmp(coding, "x-gzip") == 0)
		return inflate_all(15 + 16, bytes, len, out, out_len);
	if (strcasecmp(coding, "br") == 0)
		return brotli_all(bytes, len, out, out_len);
	if (strcasecmp(coding, "zstd") == 0)
		return zstd_all(bytes, len, out, out_len);
	if (strcasecmp(coding, "deflate") != 0)
		return false;
	/* Some send it bare, without zlib's head. */
	if (inflate_all(15, bytes, len, out, out_len))
		return true;
	*out_len = max;
	return inflate_all(-15, bytes, len, out, out_len);
}

char *content_decode(const char *coding, const void *bytes, size_t len, size_t max, size_t *ret_len)
{
	AUTO(char *, freep) out = malloc(max + 1);

	*ret_len = max;
	return out && decode(coding, bytes, len, out, ret_len) ? TAKE(out) : NULL;
}

/* --- messages ----------------------------------------------------------------------------- */

/* Of all messages of one direction: what more they would become stays as it was sent. */
enum { INFLATION_MAX = 32 << 20 };

struct inflation {
	z_stream stream;
	uint64_t left; /* bytes that may still come out */
	bool is_set;
};

struct inflation *inflation_new(void)
{
	struct inflation *inflation = calloc(1, sizeof(*inflation));

	if (inflation)
		inflation->left = INFLATION_MAX;
	return inflation;
}

void inflation_free(struct inflation *inflation)
{
	if (inflation && inflation->is_set)
		inflateEnd(&inflation->stream);
	free(inflation);
}

/*
 * What is beyond `max` is inflated as well, for what refers to it. A stream that says that it ends
 * is not gone on with: what follows may be read in more than one way.
 */
static bool inflate_part(struct inflation *inflation, const void *bytes, size_t len, char *out,
			 size_t max, size_t *filled)
{
	z_stream *stream = &inflation->stream;
	char beyond[4096];
	int r = Z_OK;

	stream->next_in = (Bytef *)(uintptr_t)bytes;
	stream->avail_in = (uInt)len;
	while (r == Z_OK && (stream->avail_in > 0 || stream->avail_out == 0)) {
		bool is_full = *filled == max;
		uint64_t before = stream->total_out, made;

		/* cppcheck-suppress legacyUninitvar; it is written to */
		stream->next_out = (Bytef *)(is_full ? beyond : out + *filled);
		stream->avail_out = (uInt)(is_full ? sizeof(beyond) : max - *filled);
		r = inflate(stream, Z_SYNC_FLUSH);
		if (!is_full)
			*filled = max - stream->avail_out;
		made = stream->total_out - before;
		inflation->left -= made < inflation->left ? made : inflation->left;
		if (inflation->left == 0)
			return false;
	}
	return r == Z_OK || r == Z_BUF_ERROR;
}

char *inflation_message(struct inflation *inflation, const void *bytes, size_t len, size_t max,
			bool forgets, size_t *ret_len)
{
	static const unsigned char tail[] = { 0, 0, 0xff, 0xff }; /* RFC 7692, 7.2.2 */
	AUTO(char *, freep) out = inflation->left > 0 ? malloc(max + 1) : NULL;
	size_t filled = 0;
	bool ok;

	if (!inflation->is_set && inflateInit2(&inflation->stream, -15) != Z_OK)
		return NULL;
	inflation->is_set = true;
	ok = out && inflate_part(inflation, bytes, len, out, max, &filled) &&
	     inflate_part(inflation, tail, sizeof(tail), out, max, &filled);
	if (forgets)
		ok &= inflateReset(&inflation->stream) == Z_OK;
	*ret_len = filled;
	return ok ? TAKE(out) : NULL;
}
