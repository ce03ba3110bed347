//! The members of a department or a tag, within the app's visible scope: messages reach no one else
//! (docs/reference/wecom.md#departments-and-tags).
//!
//! A list is complete or an error: a caller that counts messages by it must not mistake a part for the whole.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::http::Request;
use crate::outcome::{CallError, Failure};
use crate::text::Text;
use crate::{Api, App, Client};

/// Departments are queried one after the other, about 20 a second: more are not worth the minute.
const MAX_DEPARTMENTS: usize = 1000;
/// A few megabytes; more members than an alert should ever reach.
const MAX_MEMBERS: usize = 20_000;

/// The members and departments of a tag.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagMembers {
    /// Userids.
    pub users: Vec<String>,
    /// Departments, with everything below them.
    pub parties: Vec<i64>,
}

#[derive(Deserialize)]
struct Listed {
    userid: String,
}

impl Client {
    /// The userids in a department and in all below it, without duplicates. An error if the department is not in the
    /// app's visible scope, has more than 1000 departments below it, or more than 20,000 members.
    pub async fn department_members(&self, app: &App, id: i64) -> Result<Vec<String>, CallError> {
        let mut members = BTreeSet::new();
        // No call lists the members below a department, only those in it.
        for department in self.departments(app, id).await? {
            members.extend(self.members_directly_in(app, department).await?);
            if members.len() > MAX_MEMBERS {
                return Err(no_list(
                    Api::UserSimplelist,
                    &Text::new("部门成员超过 20000 人", "more than 20000 members"),
                ));
            }
        }
        Ok(members.into_iter().collect())
    }

    /// The userids and the departments of a tag.
    pub async fn tag_members(&self, app: &App, id: i64) -> Result<TagMembers, CallError> {
        #[derive(Deserialize)]
        struct Reply {
            userlist: Vec<Listed>,
            partylist: Vec<i64>,
        }
        let reply: Reply = self.call_app(app, &Request::get(Api::TagGet, [("tagid", id.to_string())])).await?;
        Ok(TagMembers { users: userids(reply.userlist), parties: reply.partylist })
    }

    /// A department and all below it.
    async fn departments(&self, app: &App, id: i64) -> Result<Vec<i64>, CallError> {
        #[derive(Deserialize)]
        struct Reply {
            department_id: Vec<Department>,
        }
        #[derive(Deserialize)]
        struct Department {
            id: i64,
        }
        let request = Request::get(Api::DepartmentSimplelist, [("id", id.to_string())]);
        let reply: Reply = self.call_app(app, &request).await?;
        let departments: Vec<i64> = reply.department_id.into_iter().map(|department| department.id).collect();
        // Outside the visible scope the list may be empty instead of an error, which looks like no members.
        if !departments.contains(&id) {
            let why = Text::new(
                format!("部门 {id} 不在应用的可见范围内"),
                format!("department {id} is not in the app's visible scope"),
            );
            return Err(no_list(request.api, &why));
        }
        if departments.len() > MAX_DEPARTMENTS {
            return Err(no_list(
                request.api,
                &Text::new("下级部门超过 1000 个", "more than 1000 departments below it"),
            ));
        }
        Ok(departments)
    }

    async fn members_directly_in(&self, app: &App, department: i64) -> Result<Vec<String>, CallError> {
        #[derive(Deserialize)]
        struct Reply {
            userlist: Vec<Listed>,
        }
        let request = Request::get(Api::UserSimplelist, [("department_id", department.to_string())]);
        let reply: Reply = self.call_app(app, &request).await?;
        Ok(userids(reply.userlist))
    }
}

fn userids(listed: Vec<Listed>) -> Vec<String> {
    listed.into_iter().map(|member| member.userid).collect()
}

fn no_list(api: Api, why: &Text) -> CallError {
    CallError::NotDone(Failure::invalid(api, why))
}
