/* SPDX-License-Identifier: MIT */
/* reader.c - many small files under one root; see reader.h */
#include "core/facts/reader.h"

#include <fcntl.h>
#include <unistd.h>

#include "core/base/sys.h"

int reader_open(struct reader *r, const char *root)
{
	int err;

	*r = (struct reader){ 0 };
	err = blob_text(&r->base, root ? root : "");
	r->root_bytes = r->base.bytes;
	return err;
}

void reader_close(struct reader *r)
{
	blob_free(&r->base);
	blob_free(&r->content);
}

int reader_base(struct reader *r, const char *directory)
{
	blob_cut(&r->base, r->root_bytes);
	return blob_text(&r->base, directory);
}

int reader_read(struct reader *r, const char *name, const char *suffix, struct span *ret_content)
{
	size_t base_bytes = r->base.bytes;
	int err = blob_text(&r->base, name);

	if (!err)
		err = blob_text(&r->base, suffix);
	if (!err)
		err = blob_read_again(r->base.at, &r->content);
	blob_cut(&r->base, base_bytes);
	if (!err)
		*ret_content = (struct span){ r->content.at, r->content.bytes };
	return err;
}

int reader_u64(struct reader *r, const char *name, const char *suffix, uint64_t *ret_value)
{
	struct span content;
	int err = reader_read(r, name, suffix, &content);

	return err ? err : text_u64(content, ret_value);
}

int reader_has(struct reader *r, const char *name)
{
	size_t base_bytes = r->base.bytes;
	int err = blob_text(&r->base, name);

	if (!err)
		err = (int)sys_faccessat(AT_FDCWD, r->base.at, F_OK);
	blob_cut(&r->base, base_bytes);
	return err;
}

int reader_link(struct reader *r, const char *name, struct span *ret_text)
{
	size_t base_bytes = r->base.bytes;
	int err = blob_text(&r->base, name);

	blob_free(&r->content);
	if (!err)
		err = blob_read_link(r->base.at, &r->content);
	blob_cut(&r->base, base_bytes);
	if (!err)
		*ret_text = (struct span){ r->content.at, r->content.bytes };
	return err;
}
