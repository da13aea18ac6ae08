/* SPDX-License-Identifier: MIT */
/* json_read.c - see json_read.h */
#include "tools/json_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MOST 64

static int parse_value(struct span *s, unsigned depth, struct json_node **ret);

static void skip(struct span *s, size_t bytes)
{
	s->at += bytes;
	s->bytes -= bytes;
}

static void skip_blanks(struct span *s)
{
	while (s->bytes && memchr(" \t\r\n", *s->at, 4))
		skip(s, 1);
}

static bool take(struct span *s, char c)
{
	skip_blanks(s);
	if (!s->bytes || *s->at != c)
		return false;
	skip(s, 1);
	return true;
}

static int parse_text(struct span *s, struct span *ret)
{
	struct span text;

	if (!take(s, '"'))
		return -EBADMSG;
	text.at = s->at;
	while (s->bytes && *s->at != '"') {
		if ((unsigned char)*s->at < 0x20)
			return -EBADMSG;
		skip(s, *s->at == '\\' && s->bytes > 1 ? 2 : 1);
	}
	text.bytes = (size_t)(s->at - text.at);
	if (!take(s, '"'))
		return -EBADMSG;
	*ret = text;
	return 0;
}

static int parse_number(struct span *s, uint64_t *ret)
{
	struct span word = { s->at, 0 };

	while (s->bytes && memchr("+-.eE0123456789", *s->at, 15)) {
		skip(s, 1);
		word.bytes++;
	}
	if (word.bytes == 0)
		return -EBADMSG;
	*ret = 0;
	text_u64(word, ret);
	return 0;
}

static int parse_word(struct span *s, struct json_node *n)
{
	static const struct { const char *word; enum json_kind kind; uint64_t value; } words[] = {
		{ "null", JSON_NULL, 0 }, { "true", JSON_BOOL, 1 }, { "false", JSON_BOOL, 0 },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_starts(*s, words[i].word)) {
			n->kind = words[i].kind;
			n->number = words[i].value;
			skip(s, strlen(words[i].word));
			return 0;
		}
	n->kind = JSON_NUMBER;
	return parse_number(s, &n->number);
}

static int parse_members(struct span *s, unsigned depth, struct json_node *n, char end)
{
	struct json_node **at = &n->first;
	struct span key = { 0 };

	if (take(s, end))
		return 0;
	do {
		int err = 0;

		if (n->kind == JSON_OBJECT) {
			err = parse_text(s, &key);
			if (!err && !take(s, ':'))
				err = -EBADMSG;
		}
		if (!err)
			err = parse_value(s, depth + 1, at);
		if (err)
			return err;
		(*at)->key = key;
		at = &(*at)->next;
	} while (take(s, ','));
	return take(s, end) ? 0 : -EBADMSG;
}

/* What is half made is in the tree, and freed with it. */
static int parse_value(struct span *s, unsigned depth, struct json_node **ret)
{
	struct json_node *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	*ret = n;
	skip_blanks(s);
	if (depth > DEPTH_MOST || !s->bytes)
		return -EBADMSG;
	switch (*s->at) {
	case '{':
		skip(s, 1);
		n->kind = JSON_OBJECT;
		return parse_members(s, depth, n, '}');
	case '[':
		skip(s, 1);
		n->kind = JSON_LIST;
		return parse_members(s, depth, n, ']');
	case '"':
		n->kind = JSON_TEXT;
		return parse_text(s, &n->text);
	default:
		return parse_word(s, n);
	}
}

int json_parse(struct span content, struct json_node **ret_tree)
{
	struct json_node *tree = NULL;
	int err = parse_value(&content, 0, &tree);

	skip_blanks(&content);
	if (!err && content.bytes)
		err = -EBADMSG;
	if (err) {
		json_free(tree);
		return err;
	}
	*ret_tree = tree;
	return 0;
}

/* As deep as the tree, which parsing bounds; a list may be long. */
void json_free(struct json_node *tree)
{
	while (tree) {
		struct json_node *next = tree->next;

		json_free(tree->first);
		free(tree);
		tree = next;
	}
}

const struct json_node *json_member(const struct json_node *of, const char *key)
{
	if (!of || of->kind != JSON_OBJECT)
		return NULL;
	for (const struct json_node *n = of->first; n; n = n->next)
		if (span_equal(n->key, key))
			return n;
	return NULL;
}

uint64_t json_number(const struct json_node *of, const char *key)
{
	const struct json_node *n = json_member(of, key);

	return n ? n->number : 0;
}

struct span json_string(const struct json_node *of, const char *key)
{
	const struct json_node *n = json_member(of, key);

	return n && n->kind == JSON_TEXT ? n->text : (struct span){ "", 0 };
}
