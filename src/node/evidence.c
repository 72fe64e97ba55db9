#include "node/evidence.h"

#include "base/buf.h"
#include "node/node.h"

char *evidence_path(const struct node *node, const char *instance_id, const char *part)
{
	return strf("%s/%s/%s", node->evidence_dir, instance_id, part);
}
