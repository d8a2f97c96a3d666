/* What a program says and does about a session's file of packed weights once it has run. */
#include "tools.h"

osp_status pack_cache_write(struct osp_session *session, bool quiet)
{
    const char *remark, *path = osp_session_pack_cache(session, &remark);
    size_t bytes = 0;
    if (path && *remark && !quiet)
        say("weights were packed anew: %s", remark);
    osp_status status = osp_session_write_pack_cache(session, &bytes);
    if (status != OSP_OK)
        say("%s", osp_message());
    else if (bytes && !quiet)
        say("wrote %s, %.0f MB of packed weights for the next run", path, (double)bytes / 1e6);
    return status;
}
